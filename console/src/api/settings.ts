import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem } from './problem';
import type { Holdout, NewApiKey } from './types';

export const keysQuery = (after = '') =>
  queryOptions({
    queryKey: ['api-keys', after],
    queryFn: () => unwrap(client.GET('/v1/api-keys', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    placeholderData: keepPreviousData,
  });

/** Makes a key; its secret is in the answer and nowhere afterwards. */
export function createKey(key: NewApiKey) {
  return unwrap(client.POST('/v1/api-keys', { body: key }));
}

export async function revokeKey(id: string): Promise<void> {
  await unwrap(client.DELETE('/v1/api-keys/{id}', { params: { path: { id } } }));
}

const universal = { path: { key: 'universal' } };

/** The universal holdout; null when none was ever set. */
export const holdoutQuery = queryOptions({
  queryKey: ['holdout'],
  queryFn: async (): Promise<Holdout | null> => {
    try {
      return await unwrap(client.GET('/v1/holdouts/{key}', { params: universal }));
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return null;
      throw error;
    }
  },
});

/** Sets the share; the salt is kept, so that people do not change sides. */
export async function setHoldoutShare(share: number, current: Holdout | null): Promise<void> {
  const salt = current?.salt;
  await unwrap(client.PUT('/v1/holdouts/{key}', { params: universal, body: { share, ...(salt ? { salt } : {}) } }));
}
