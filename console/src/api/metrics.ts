import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem } from './problem';
import type { MetricBody } from './types';

export const metricsQuery = (after = '') =>
  queryOptions({
    queryKey: ['metrics', after],
    queryFn: () => unwrap(client.GET('/v1/metrics', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    placeholderData: keepPreviousData,
  });

/** Up to 200 metrics, to choose from. */
export const metricChoicesQuery = queryOptions({
  queryKey: ['metrics', 'choices'],
  queryFn: () => unwrap(client.GET('/v1/metrics', { params: { query: { limit: 200 } } })),
  staleTime: 30_000,
});

export const metricQuery = (key: string) =>
  queryOptions({
    queryKey: ['metrics', 'of', key],
    queryFn: () => unwrap(client.GET('/v1/metrics/{key}', { params: { path: { key } } })),
  });

export const metricVersionsQuery = (key: string) =>
  queryOptions({
    queryKey: ['metrics', 'versions', key],
    queryFn: () => unwrap(client.GET('/v1/metrics/{key}/versions', { params: { path: { key }, query: { limit: 20 } } })),
  });

/** Saves a metric; without a version it must be new, with one it must be unchanged. */
export async function saveMetric(key: string, metric: MetricBody, version: number | null): Promise<void> {
  const header = version === null ? { 'If-None-Match': '*' as const } : { 'If-Match': `"${version.toString()}"` };
  try {
    await unwrap(client.PUT('/v1/metrics/{key}', { params: { path: { key }, header }, body: metric }));
  } catch (error) {
    if (version !== null || !(error instanceof Problem && error.status === 412)) throw error;
    throw new Problem(412, 'The key is taken', '', [{ location: 'key', message: 'is that of another metric' }]);
  }
}

export async function deleteMetric(key: string, version: number): Promise<void> {
  await unwrap(client.DELETE('/v1/metrics/{key}', { params: { path: { key }, header: { 'If-Match': `"${version.toString()}"` } } }));
}

/** What a metric was among people of the last days, without an experiment. */
export const baselineQuery = (key: string, days = 28) =>
  queryOptions({
    queryKey: ['metrics', 'baseline', key, days],
    queryFn: () => unwrap(client.GET('/v1/metrics/{key}/baseline', { params: { path: { key }, query: { days } } })),
    staleTime: 300_000,
    retry: false,
  });
