import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem, problemFrom } from './problem';
import type { RetentionRuleBody } from './types';

/** Erasures, the latest first; asked for often while one is under way. */
export const erasuresQuery = (after = '') =>
  queryOptions({
    queryKey: ['erasures', after],
    queryFn: () => unwrap(client.GET('/v1/erasures', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    refetchInterval: (query) => (query.state.data?.items.some(({ status }) => status !== 'done') ? 2_000 : 30_000),
    placeholderData: keepPreviousData,
  });

/** A proof as its checksum was taken, byte by byte, with what it says. */
export interface Proof {
  readonly bytes: Blob;
  /** SHA-256 of the bytes as they came, hexadecimal; empty where the page may not compute it. */
  readonly sha256: string;
}

const fileDeadlineMs = 10 * 60_000;

async function fetchFile(path: string, method: 'GET' | 'POST'): Promise<Blob> {
  const response = await fetch(path, { method, signal: AbortSignal.timeout(fileDeadlineMs) });
  if (!response.ok) throw problemFrom(response.status, await response.json().catch(() => undefined));
  return response.blob();
}

/** What was removed and what a search found afterwards. */
export const proofQuery = (id: string) =>
  queryOptions({
    queryKey: ['erasure-proof', id],
    queryFn: () => unwrap(client.GET('/v1/erasures/{id}/proof', { params: { path: { id } } })),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** The very bytes of a proof, with the checksum that this browser computes of them. */
export async function fetchProof(id: string): Promise<Proof> {
  const bytes = await fetchFile(`/v1/erasures/${encodeURIComponent(id)}/proof`, 'GET');
  // Browsers compute checksums on secure origins and on this machine only.
  if (!('subtle' in crypto)) return { bytes, sha256: '' };
  const digest = await crypto.subtle.digest('SHA-256', await bytes.arrayBuffer());
  return { bytes, sha256: [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('') };
}

/** All that is known of a person. It is refused as a whole when its end did not come. */
export async function exportProfile(id: string): Promise<Blob> {
  const document = await fetchFile(`/v1/profiles/${encodeURIComponent(id)}/export`, 'POST');
  const end = await document.slice(Math.max(0, document.size - 64)).text();
  if (!/"complete":\s*true\s*\}\s*$/.test(end)) throw new Problem(0, 'The export is not complete', 'The connection broke off. Ask for it again.');
  return document;
}

export const retentionQuery = (after = '') =>
  queryOptions({
    queryKey: ['retention', after],
    queryFn: () => unwrap(client.GET('/v1/retention', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    placeholderData: keepPreviousData,
  });

/** How many rows each rule would remove now. */
export const retentionPlanQuery = queryOptions({
  queryKey: ['retention-plan'],
  queryFn: () => unwrap(client.GET('/v1/retention-plan')),
  staleTime: 30_000,
});

export const retentionRunsQuery = (after = '') =>
  queryOptions({
    queryKey: ['retention-runs', after],
    queryFn: () => unwrap(client.GET('/v1/retention-runs', { params: { query: { limit: 10, ...(after ? { after } : {}) } } })),
    placeholderData: keepPreviousData,
  });

/** Saves a rule; without a version it must be new, with one it must be unchanged. */
export async function saveRetention(key: string, rule: RetentionRuleBody, version: number | null): Promise<void> {
  const header = version === null ? { 'If-None-Match': '*' as const } : { 'If-Match': `"${version.toString()}"` };
  try {
    await unwrap(client.PUT('/v1/retention/{key}', { params: { path: { key }, header }, body: rule }));
  } catch (error) {
    if (version !== null || !(error instanceof Problem && error.status === 412)) throw error;
    throw new Problem(412, 'The key is taken', '', [{ location: 'key', message: 'is that of another rule' }]);
  }
}

export async function deleteRetention(key: string, version: number): Promise<void> {
  await unwrap(client.DELETE('/v1/retention/{key}', { params: { path: { key }, header: { 'If-Match': `"${version.toString()}"` } } }));
}

export function runRetention() {
  return unwrap(client.POST('/v1/retention-runs'));
}
