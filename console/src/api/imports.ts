import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem, problemFrom } from './problem';
import type { ImportJob } from './types';

/** Kinds of files that the server imports. */
export type ImportKind = 'profiles' | 'events' | 'items';

/** Imports, the latest first; asked for often while one of them is under way. */
export const importsQuery = (after = '') =>
  queryOptions({
    queryKey: ['imports', after],
    queryFn: () => unwrap(client.GET('/v1/imports', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    refetchInterval: (query) => (query.state.data?.items.some((job) => job.status === 'running') ? 1_000 : 15_000),
    placeholderData: keepPreviousData,
  });

export async function cancelImport(id: string): Promise<void> {
  await unwrap(client.POST('/v1/imports/{id}/cancel', { params: { path: { id } } }));
}

/** A file with what its columns become. */
export interface Upload {
  readonly kind: ImportKind;
  readonly file: File;
  readonly mapping: string;
  /** Empty: the name of the file tells. */
  readonly format: string;
  readonly restart: boolean;
}

/**
 * Sends a file. Only XMLHttpRequest tells how much of it has gone, which is
 * what somebody who sends four gigabytes wants to see.
 */
export function uploadImport(upload: Upload, onSent: (share: number) => void, signal: AbortSignal): Promise<ImportJob> {
  const form = new FormData();
  form.set('kind', upload.kind);
  form.set('mapping', upload.mapping);
  if (upload.format !== '') form.set('format', upload.format);
  if (upload.restart) form.set('restart', 'true');
  form.set('file', upload.file); // last, so that the server knows what it is
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/v1/imports/upload');
    request.responseType = 'json';
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onSent(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status === 200) resolve(request.response as ImportJob);
      else reject(problemFrom(request.status, request.response));
    };
    request.onerror = () => {
      reject(new Problem(0, 'No answer from the service', 'The connection failed while the file was sent. Send it again.'));
    };
    request.onabort = () => {
      reject(new Problem(0, 'The upload was stopped', ''));
    };
    signal.addEventListener('abort', () => {
      request.abort();
    });
    request.send(form);
  });
}

const rejectsDeadlineMs = 5 * 60_000;

/** The rejected rows of an import as CSV. */
export async function fetchRejects(id: string): Promise<Blob> {
  const response = await fetch(`/v1/imports/${encodeURIComponent(id)}/rejects`, { signal: AbortSignal.timeout(rejectsDeadlineMs) });
  if (!response.ok) throw problemFrom(response.status, await response.json().catch(() => undefined));
  return response.blob();
}
