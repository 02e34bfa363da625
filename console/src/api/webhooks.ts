import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem } from './problem';
import type { WebhookBody, WebhookTrial } from './types';

export const webhooksQuery = (after = '') =>
  queryOptions({
    queryKey: ['webhooks', after],
    queryFn: () => unwrap(client.GET('/v1/webhooks', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    placeholderData: keepPreviousData,
  });

export const webhookQuery = (key: string) =>
  queryOptions({
    queryKey: ['webhooks', 'of', key],
    queryFn: () => unwrap(client.GET('/v1/webhooks/{key}', { params: { path: { key } } })),
  });

/** Makes a webhook; one with that key must not be there yet. */
export async function createWebhook(key: string, webhook: WebhookBody): Promise<void> {
  const params = { path: { key }, header: { 'If-None-Match': '*' as const } };
  try {
    await unwrap(client.PUT('/v1/webhooks/{key}', { params, body: webhook }));
  } catch (error) {
    if (!(error instanceof Problem && error.status === 412)) throw error;
    throw new Problem(412, 'The key is taken', '', [{ location: 'path.key', message: 'is that of another webhook' }]);
  }
}

/** Replaces a webhook as it was read; refused when it was changed in between. */
export async function replaceWebhook(key: string, version: number, webhook: WebhookBody): Promise<void> {
  const params = { path: { key }, header: { 'If-Match': `"${version.toString()}"` } };
  await unwrap(client.PUT('/v1/webhooks/{key}', { params, body: webhook }));
}

export async function deleteWebhook(key: string, version: number): Promise<void> {
  const params = { path: { key }, header: { 'If-Match': `"${version.toString()}"` } };
  await unwrap(client.DELETE('/v1/webhooks/{key}', { params }));
}

/** What a body would become; nothing is stored. */
export function tryWebhook(key: string, trial: WebhookTrial) {
  return unwrap(client.POST('/v1/webhooks/{key}/test', { params: { path: { key } }, body: trial }));
}
