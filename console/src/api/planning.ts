import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import type { PlanRequest } from './types';

/** People, days and power of an experiment that is not there yet; the last answer stays while the next is worked out. */
export const planQuery = (request: PlanRequest) =>
  queryOptions({
    queryKey: ['experiment-plan', request],
    queryFn: () => unwrap(client.POST('/v1/experiment-plan', { body: request })),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
