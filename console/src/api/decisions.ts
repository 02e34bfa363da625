import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

/** The most recent decisions, asked for again every two seconds while the page is seen. */
export const liveDecisionsQuery = (limit: number, live: boolean) =>
  queryOptions({
    queryKey: ['decisions', 'live', limit],
    queryFn: () => unwrap(client.GET('/v1/decisions', { params: { query: { limit } } })),
    refetchInterval: live ? 2_000 : false,
    enabled: live,
    placeholderData: keepPreviousData,
  });

/** The most recent decisions of one decision point. */
export const pointDecisionsQuery = (decisionPoint: string, limit: number) =>
  queryOptions({
    queryKey: ['decisions', 'point', decisionPoint, limit],
    queryFn: () => unwrap(client.GET('/v1/decisions', { params: { query: { decisionPoint, limit } } })),
    refetchInterval: 5_000,
  });

/** One decision with its explanation and its replay; the record never changes. */
export const decisionQuery = (id: string) =>
  queryOptions({
    queryKey: ['decision', id],
    queryFn: () => unwrap(client.GET('/v1/decisions/{id}', { params: { path: { id } } })),
    staleTime: 10 * 60_000,
  });
