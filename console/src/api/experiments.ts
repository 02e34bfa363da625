import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

export const experimentsQuery = queryOptions({
  queryKey: ['experiments'],
  queryFn: () => unwrap(client.GET('/v1/experiments', { params: { query: { limit: 200 } } })),
  refetchInterval: 15_000,
});

export const experimentQuery = (key: string) =>
  queryOptions({
    queryKey: ['experiment', key],
    queryFn: () => unwrap(client.GET('/v1/experiments/{key}', { params: { path: { key } } })),
  });

/** The report of an experiment; it is computed from the log at each call. */
export const reportQuery = (key: string) =>
  queryOptions({
    queryKey: ['report', key],
    queryFn: () => unwrap(client.GET('/v1/experiments/{key}/report', { params: { path: { key } } })),
    staleTime: 20_000,
    placeholderData: keepPreviousData,
  });

export async function startExperiment(key: string): Promise<void> {
  await unwrap(client.POST('/v1/experiments/{key}/start', { params: { path: { key } } }));
}

export async function stopExperiment(key: string): Promise<void> {
  await unwrap(client.POST('/v1/experiments/{key}/stop', { params: { path: { key } } }));
}
