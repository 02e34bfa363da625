import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { problemFrom } from './problem';
import type { Segment, SegmentBody } from './types';

/** One page of the segments, by key. */
export const segmentsQuery = (after = '') =>
  queryOptions({
    queryKey: ['segments', after],
    queryFn: () => unwrap(client.GET('/v1/segments', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    placeholderData: keepPreviousData,
  });

/** Up to 200 segments, to choose one from. */
export const segmentChoicesQuery = queryOptions({
  queryKey: ['segments', 'choices'],
  queryFn: () => unwrap(client.GET('/v1/segments', { params: { query: { limit: 200 } } })),
  staleTime: 30_000,
});

/** A segment with the tag that a change of it has to name. */
export interface TaggedSegment {
  readonly segment: Segment;
  readonly etag: string;
}

export const segmentQuery = (key: string) =>
  queryOptions({
    queryKey: ['segment', key],
    queryFn: async (): Promise<TaggedSegment> => {
      const { data, error, response } = await client.GET('/v1/segments/{key}', { params: { path: { key } } });
      if (data === undefined) throw problemFrom(response.status, error);
      return { segment: data, etag: response.headers.get('ETag') ?? '' };
    },
  });

export const segmentCountQuery = (key: string) =>
  queryOptions({
    queryKey: ['segment-count', key],
    queryFn: () => unwrap(client.GET('/v1/segments/{key}/count', { params: { path: { key } } })),
    refetchInterval: 5_000,
  });

export const segmentMembersQuery = (key: string, after: string) =>
  queryOptions({
    queryKey: ['segment-members', key, after],
    queryFn: () =>
      unwrap(
        client.GET('/v1/segments/{key}/members', {
          params: { path: { key }, query: { limit: 25, ...(after ? { after } : {}) } },
        }),
      ),
    refetchInterval: 10_000,
    placeholderData: keepPreviousData,
  });

export const segmentVersionsQuery = (key: string) =>
  queryOptions({
    queryKey: ['segment-versions', key],
    queryFn: () => unwrap(client.GET('/v1/segments/{key}/versions', { params: { path: { key }, query: { limit: 20 } } })),
  });

/** The library of ready conditions; it is part of the service's version. */
export const filtersQuery = queryOptions({
  queryKey: ['segment-filters'],
  queryFn: () => unwrap(client.GET('/v1/segment-filters')),
  staleTime: Number.POSITIVE_INFINITY,
});

/** How many people would fulfil the rule, and how many of them are in other segments. */
export const estimateQuery = (rule: unknown, overlapWith: readonly string[]) =>
  queryOptions({
    queryKey: ['segment-estimate', JSON.stringify(rule), overlapWith],
    queryFn: () => unwrap(client.POST('/v1/segments/estimate', { body: { rule, overlapWith: [...overlapWith] } })),
    placeholderData: keepPreviousData,
    staleTime: 10_000,
    retry: false,
  });

/** Saves a segment; without a tag it must be new, with one it must be unchanged. */
export function saveSegment(key: string, body: SegmentBody, etag: string) {
  return unwrap(
    client.PUT('/v1/segments/{key}', {
      params: { path: { key }, header: etag === '' ? { 'If-None-Match': '*' } : { 'If-Match': etag } },
      body,
    }),
  );
}

export async function deleteSegment(key: string): Promise<void> {
  await unwrap(client.DELETE('/v1/segments/{key}', { params: { path: { key } } }));
}

export function freezeSegment(key: string, list: string, name: string) {
  return unwrap(
    client.POST('/v1/segments/{key}/freeze', { params: { path: { key } }, body: { key: list, ...(name ? { name } : {}) } }),
  );
}
