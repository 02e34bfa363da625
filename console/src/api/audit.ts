import { infiniteQueryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

/** Which entries of the audit log are wanted; empty texts want all. */
export interface AuditFilter {
  readonly actor: string;
  readonly path: string;
  readonly personal: '' | 'true' | 'false';
  /** Moments in ISO 8601. */
  readonly from: string;
  readonly to: string;
}

/** Pages of the audit log, newest first. */
export const auditQuery = (filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: ['audit', filter],
    queryFn: ({ pageParam }) =>
      unwrap(
        client.GET('/v1/audit', {
          params: {
            query: {
              limit: 50,
              ...(pageParam > 0 ? { before: pageParam } : {}),
              ...(filter.actor === '' ? {} : { actor: filter.actor }),
              ...(filter.path === '' ? {} : { path: filter.path }),
              ...(filter.personal === '' ? {} : { personal: filter.personal }),
              ...(filter.from === '' ? {} : { from: filter.from }),
              ...(filter.to === '' ? {} : { to: filter.to }),
            },
          },
        }),
      ),
    initialPageParam: 0,
    getNextPageParam: (page) => (page.next > 0 ? page.next : undefined),
  });
