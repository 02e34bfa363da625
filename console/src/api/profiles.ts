import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { problemFrom } from './problem';
import type { Statement } from './types';

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

/** A profile with what each source said about each trait. */
export const profileLineageQuery = (id: string) =>
  queryOptions({
    queryKey: ['profile', id, 'lineage'],
    queryFn: () => unwrap(client.GET('/v1/profiles/{id}', { params: { path: { id }, query: { lineage: true } } })),
    refetchInterval: 30_000,
  });

export const identityQuery = (id: string) =>
  queryOptions({
    queryKey: ['profile', id, 'identity'],
    queryFn: () => unwrap(client.GET('/v1/profiles/{id}/identity', { params: { path: { id } } })),
    refetchInterval: 30_000,
  });

/** Makes one person of two. */
export function mergeProfiles(id: string, other: string, reason: string) {
  return unwrap(client.POST('/v1/profiles/{id}/merge', { params: { path: { id } }, body: { with: other, ...(reason ? { reason } : {}) } }));
}

/** Revokes an edge between two profiles. */
export function revokeEdge(id: string, edge: string, reason: string) {
  return unwrap(client.POST('/v1/profiles/{id}/unmerge', { params: { path: { id } }, body: { edge, ...(reason ? { reason } : {}) } }));
}

export const consentsQuery = (id: string) =>
  queryOptions({
    queryKey: ['profile', id, 'consents'],
    queryFn: () => unwrap(client.GET('/v1/profiles/{id}/consents', { params: { path: { id } } })),
    refetchInterval: 30_000,
  });

/** What consents can be about: purposes, topics and channels. */
export const consentSubjectsQuery = queryOptions({
  queryKey: ['consent-subjects'],
  queryFn: async () => {
    const page = { params: { query: { limit: 200 } } } as const;
    const [purposes, topics, channels] = await Promise.all([
      unwrap(client.GET('/v1/purposes', page)),
      unwrap(client.GET('/v1/topics', page)),
      unwrap(client.GET('/v1/channels', page)),
    ]);
    return { purposes: purposes.items ?? [], topics: topics.items ?? [], channels: channels.items ?? [] };
  },
  staleTime: 60_000,
});

export function stateConsent(id: string, statement: Statement) {
  return unwrap(client.POST('/v1/profiles/{id}/consents', { params: { path: { id } }, body: { statements: [statement] } }));
}

/** The entries of those addresses that are suppressed. */
export const suppressionsQuery = (addresses: readonly string[]) =>
  queryOptions({
    queryKey: ['suppressions', addresses],
    queryFn: async () => {
      const listed = await unwrap(client.GET('/v1/suppressions', { params: { query: { limit: 1000 } } }));
      const wanted = new Set(addresses.map((address) => address.toLowerCase()));
      if (listed.next === 0) {
        return (listed.items ?? []).filter(({ namespace, value }) => wanted.has(`${namespace}:${value ?? ''}`.toLowerCase()));
      }
      // The list is longer than one page: each address is asked for on its own.
      const entries = await Promise.all(
        addresses.slice(0, 20).map(async (address) => {
          const { data, error, response } = await client.GET('/v1/suppressions/{address}', { params: { path: { address } } });
          if (data === undefined && response.status !== 404) throw problemFrom(response.status, error);
          return data;
        }),
      );
      return entries.filter((entry) => entry !== undefined);
    },
    staleTime: 30_000,
  });

export function editTrait(id: string, trait: string, value: unknown) {
  return unwrap(client.PATCH('/v1/profiles/{id}/traits', { params: { path: { id } }, body: { traits: { [trait]: value } } }));
}

export const attributesQuery = (id: string) =>
  queryOptions({
    queryKey: ['profile', id, 'attributes'],
    queryFn: () => unwrap(client.GET('/v1/profiles/{id}/attributes', { params: { path: { id }, query: { limit: 1 } } })),
    refetchInterval: 30_000,
  });

export function eraseProfile(id: string, reason: string, mode: 'erase' | 'anonymise' | 'purge') {
  return unwrap(client.POST('/v1/profiles/{id}/erase', { params: { path: { id } }, body: { mode, ...(reason ? { reason } : {}) } }));
}
