import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem } from './problem';
import type { HoldoutBody } from './types';

export const holdoutsQuery = (after = '') =>
  queryOptions({
    queryKey: ['holdouts', after],
    queryFn: () => unwrap(client.GET('/v1/holdouts', { params: { query: { limit: 100, ...(after ? { after } : {}) } } })),
    placeholderData: keepPreviousData,
  });

/** Saves a holdout; without a version it must be new, with one it must be unchanged. */
export async function saveHoldout(key: string, holdout: HoldoutBody, version: number | null): Promise<void> {
  const header = version === null ? { 'If-None-Match': '*' as const } : { 'If-Match': `"${version.toString()}"` };
  try {
    await unwrap(client.PUT('/v1/holdouts/{key}', { params: { path: { key }, header }, body: holdout }));
  } catch (error) {
    if (version !== null || !(error instanceof Problem && error.status === 412)) throw error;
    throw new Problem(412, 'The key is taken', '', [{ location: 'key', message: 'is that of another holdout' }]);
  }
}

export async function deleteHoldout(key: string, version: number): Promise<void> {
  await unwrap(client.DELETE('/v1/holdouts/{key}', { params: { path: { key }, header: { 'If-Match': `"${version.toString()}"` } } }));
}

/** On which side of a holdout a person or another unit stands. */
export function findInHoldout(key: string, unit: string) {
  return unwrap(client.GET('/v1/holdouts/{key}/units/{unit}', { params: { path: { key, unit } } }));
}

/** What all experiments together brought, measured against the universal holdout. */
export const programmeQuery = (metric: string) =>
  queryOptions({
    queryKey: ['programme', metric],
    queryFn: () => unwrap(client.GET('/v1/programme', { params: { query: metric === '' ? {} : { metric } } })),
    staleTime: 60_000,
    retry: false,
  });
