import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem, problemFrom } from './problem';
import type { DecisionWhy, PointBody } from './types';

export const pointsQuery = queryOptions({
  queryKey: ['decision-points'],
  queryFn: () => unwrap(client.GET('/v1/decision-points', { params: { query: { limit: 200 } } })),
});

export const pointQuery = (key: string) =>
  queryOptions({
    queryKey: ['decision-point', key],
    queryFn: () => unwrap(client.GET('/v1/decision-points/{key}', { params: { path: { key } } })),
  });

/** Chosen actions over the last hours, in buckets that the service chooses. */
export const activityQuery = (key: string, hours: number) =>
  queryOptions({
    queryKey: ['activity', key, hours],
    queryFn: () =>
      unwrap(client.GET('/v1/decision-points/{key}/activity', { params: { path: { key }, query: { hours } } })),
    refetchInterval: 15_000,
    placeholderData: keepPreviousData,
  });

export const modelsQuery = (key: string) =>
  queryOptions({
    queryKey: ['models', key],
    queryFn: () => unwrap(client.GET('/v1/decision-points/{key}/models', { params: { path: { key } } })),
    refetchInterval: 15_000,
  });

export const pointVersionsQuery = (key: string) =>
  queryOptions({
    queryKey: ['decision-point', key, 'versions'],
    queryFn: () => unwrap(client.GET('/v1/decision-points/{key}/versions', { params: { path: { key }, query: { limit: 20 } } })),
  });

/** Keys that a decision point may name. */
export const pointChoicesQuery = queryOptions({
  queryKey: ['decision-point-choices'],
  queryFn: async () => {
    const page = { params: { query: { limit: 200 } } };
    const [offers, channels] = await Promise.all([unwrap(client.GET('/v1/offers', page)), unwrap(client.GET('/v1/channels', page))]);
    const keys = (items: readonly { readonly key: string }[] | null) => (items ?? []).map(({ key }) => key);
    return { offers: keys(offers.items), channels: keys(channels.items) };
  },
  staleTime: 30_000,
});

/** Saves a decision point; without a version it must be new, with one unchanged. */
export async function savePoint(key: string, body: PointBody, version: number | null): Promise<void> {
  const header = version === null ? { 'If-None-Match': '*' as const } : { 'If-Match': `"${version.toString()}"` };
  try {
    await unwrap(client.PUT('/v1/decision-points/{key}', { params: { path: { key }, header }, body }));
  } catch (error) {
    if (version !== null || !(error instanceof Problem && error.status === 412)) throw error;
    throw new Problem(412, 'The key is taken', '', [{ location: 'key', message: 'is that of another decision point' }]);
  }
}

export interface Asked {
  readonly decision: string;
  readonly user: Readonly<Record<string, string>>;
  readonly context?: unknown;
}

/** What would be decided for a person now; nothing is decided, sent or reserved. */
export async function previewDecision(asked: Asked): Promise<DecisionWhy> {
  // The query is none of the description's, as its answer is of another form.
  const response = await fetch('/v1/decide?explain=true', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(asked),
    signal: AbortSignal.timeout(20_000),
  });
  const answer: unknown = await response.json();
  if (!response.ok) throw problemFrom(response.status, answer);
  return answer as DecisionWhy;
}
