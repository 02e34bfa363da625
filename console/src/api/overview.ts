import { queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

/** Counts, lag and the holdout's lift, asked for again every five seconds. */
export const overviewQuery = queryOptions({
  queryKey: ['overview'],
  queryFn: () => unwrap(client.GET('/v1/overview')),
  refetchInterval: 5_000,
});
