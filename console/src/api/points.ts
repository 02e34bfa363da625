import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

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
