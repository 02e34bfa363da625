import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

/** People whose identifier, name or e-mail begins with the query; the most recently seen first. */
export const profilesQuery = (query: string, limit: number, after = '') =>
  queryOptions({
    queryKey: ['profiles', query, limit, after],
    queryFn: () =>
      unwrap(
        client.GET('/v1/profiles', {
          params: { query: { limit, ...(query ? { query } : {}), ...(after ? { after } : {}) } },
        }),
      ),
    staleTime: 5_000,
    placeholderData: keepPreviousData,
  });

export const profileQuery = (id: string) =>
  queryOptions({
    queryKey: ['profile', id],
    queryFn: () => unwrap(client.GET('/v1/profiles/{id}', { params: { path: { id } } })),
    refetchInterval: 10_000,
  });
