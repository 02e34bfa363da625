import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem, problemFrom } from './problem';
import type { AttributesStatus, NewAttribute } from './types';

export const catalogueQuery = queryOptions({
  queryKey: ['attributes', 'catalogue'],
  queryFn: () => unwrap(client.GET('/v1/attribute-catalogue')),
  staleTime: 600_000,
});

/** How the last computation went; null before the first since the service was started. */
export const attributesStatusQuery = queryOptions({
  queryKey: ['attributes', 'status'],
  queryFn: async (): Promise<AttributesStatus | null> => {
    try {
      return await unwrap(client.GET('/v1/attribute-status'));
    } catch (error) {
      if (error instanceof Problem && error.status === 503) return null;
      throw error;
    }
  },
  refetchInterval: 15_000,
});

export const attributesQuery = (after = '') =>
  queryOptions({
    queryKey: ['attributes', 'definitions', after],
    queryFn: () => unwrap(client.GET('/v1/attributes', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    placeholderData: keepPreviousData,
  });

/** A run over everybody may take minutes with many events. */
const computeDeadlineMs = 20 * 60_000;

/** Computes everybody now and answers when it is done. */
export async function computeNow(): Promise<void> {
  const response = await fetch('/v1/attribute-status/compute', { method: 'POST', signal: AbortSignal.timeout(computeDeadlineMs) });
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw problemFrom(response.status, answer);
}

/** Makes an attribute; one with that key must not be there yet. */
export async function createAttribute(key: string, attribute: NewAttribute): Promise<void> {
  const params = { path: { key }, header: { 'If-None-Match': '*' as const } };
  try {
    await unwrap(client.PUT('/v1/attributes/{key}', { params, body: attribute }));
  } catch (error) {
    if (!(error instanceof Problem && error.status === 412)) throw error;
    throw new Problem(412, 'The key is taken', '', [{ location: 'key', message: 'is that of another attribute' }]);
  }
}

/** Replaces an attribute as it was read; refused when it was changed in between. */
export async function replaceAttribute(key: string, version: number, attribute: NewAttribute): Promise<void> {
  const params = { path: { key }, header: { 'If-Match': `"${version.toString()}"` } };
  await unwrap(client.PUT('/v1/attributes/{key}', { params, body: attribute }));
}

export async function deleteAttribute(key: string): Promise<void> {
  await unwrap(client.DELETE('/v1/attributes/{key}', { params: { path: { key } } }));
}
