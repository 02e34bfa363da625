import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem } from './problem';
import type { FlagBody } from './types';

export const flagsQuery = (after = '') =>
  queryOptions({
    queryKey: ['flags', after],
    queryFn: () => unwrap(client.GET('/v1/flags', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    placeholderData: keepPreviousData,
  });

export const flagQuery = (key: string) =>
  queryOptions({
    queryKey: ['flags', 'of', key],
    queryFn: () => unwrap(client.GET('/v1/flags/{key}', { params: { path: { key } } })),
  });

/** Whether SDKs can evaluate the flag by themselves, and why not. */
export const flagDeliveryQuery = (key: string) =>
  queryOptions({
    queryKey: ['flags', 'delivery', key],
    queryFn: () => unwrap(client.GET('/v1/flags/{key}/delivery', { params: { path: { key } } })),
  });

/** Saves a flag; without a version it must be new, with one it must be unchanged. */
export async function saveFlag(key: string, flag: FlagBody, version: number | null): Promise<void> {
  const header = version === null ? { 'If-None-Match': '*' as const } : { 'If-Match': `"${version.toString()}"` };
  try {
    await unwrap(client.PUT('/v1/flags/{key}', { params: { path: { key }, header }, body: flag }));
  } catch (error) {
    if (version !== null || !(error instanceof Problem && error.status === 412)) throw error;
    throw new Problem(412, 'The key is taken', '', [{ location: 'key', message: 'is that of another flag' }]);
  }
}

export async function deleteFlag(key: string, version: number): Promise<void> {
  await unwrap(client.DELETE('/v1/flags/{key}', { params: { path: { key }, header: { 'If-Match': `"${version.toString()}"` } } }));
}
