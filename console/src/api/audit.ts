import { keepPreviousData, queryOptions } from '@tanstack/react-query';
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

/** Entries of the audit log, newest first; before is where the page begins, empty for the newest. */
export const auditQuery = (filter: AuditFilter, before = '') =>
  queryOptions({
    queryKey: ['audit', filter, before],
    queryFn: () =>
      unwrap(
        client.GET('/v1/audit', {
          params: {
            query: {
              limit: 50,
              ...(before === '' ? {} : { before: Number(before) }),
              ...(filter.actor === '' ? {} : { actor: filter.actor }),
              ...(filter.path === '' ? {} : { path: filter.path }),
              ...(filter.personal === '' ? {} : { personal: filter.personal }),
              ...(filter.from === '' ? {} : { from: filter.from }),
              ...(filter.to === '' ? {} : { to: filter.to }),
            },
          },
        }),
      ),
    placeholderData: keepPreviousData,
  });
