import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { problemFrom } from './problem';
import type { Campaign, CampaignBody } from './types';

/** One page of the campaigns, by key. */
export const campaignsQuery = (after = '') =>
  queryOptions({
    queryKey: ['campaigns', 'list', after],
    queryFn: () => unwrap(client.GET('/v1/campaigns', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    placeholderData: keepPreviousData,
  });

/** A campaign with the tag that a change of it has to name. */
export interface TaggedCampaign {
  readonly campaign: Campaign;
  readonly etag: string;
}

export const campaignQuery = (key: string) =>
  queryOptions({
    queryKey: ['campaigns', 'one', key],
    queryFn: async (): Promise<TaggedCampaign> => {
      const { data, error, response } = await client.GET('/v1/campaigns/{key}', { params: { path: { key } } });
      if (data === undefined) throw problemFrom(response.status, error);
      return { campaign: data, etag: response.headers.get('ETag') ?? '' };
    },
  });

export const campaignStateQuery = (key: string) =>
  queryOptions({
    queryKey: ['campaigns', 'state', key],
    queryFn: () => unwrap(client.GET('/v1/campaigns/{key}/state', { params: { path: { key } } })),
    refetchInterval: 5_000,
  });

export const campaignRunsQuery = (key: string) =>
  queryOptions({
    queryKey: ['campaigns', 'runs', key],
    queryFn: () => unwrap(client.GET('/v1/campaigns/{key}/runs', { params: { path: { key }, query: { limit: 20 } } })),
    refetchInterval: 3_000,
  });

export const campaignMessagesQuery = (key: string, before = '') =>
  queryOptions({
    queryKey: ['campaigns', 'messages', key, before],
    queryFn: () =>
      unwrap(client.GET('/v1/campaigns/{key}/messages', { params: { path: { key }, query: { limit: 25, ...(before ? { before: Number(before) } : {}) } } })),
    placeholderData: keepPreviousData,
  });

export const campaignVersionsQuery = (key: string) =>
  queryOptions({
    queryKey: ['campaigns', 'versions', key],
    queryFn: () => unwrap(client.GET('/v1/campaigns/{key}/versions', { params: { path: { key }, query: { limit: 20 } } })),
  });

/** When campaigns are due between two moments. */
export const campaignCalendarQuery = (from: string, to: string) =>
  queryOptions({
    queryKey: ['campaigns', 'calendar', from, to],
    queryFn: () => unwrap(client.GET('/v1/campaign-calendar', { params: { query: { from, to } } })),
    placeholderData: keepPreviousData,
  });

/** Purposes that people consent to or refuse. */
export const purposesQuery = queryOptions({
  queryKey: ['purposes', 'choices'],
  queryFn: () => unwrap(client.GET('/v1/purposes', { params: { query: { limit: 200 } } })),
  staleTime: 30_000,
});

/** Saves a campaign; without a tag it must be new, with one it must be unchanged. */
export function saveCampaign(key: string, body: CampaignBody, etag: string) {
  return unwrap(
    client.PUT('/v1/campaigns/{key}', { params: { path: { key }, header: etag === '' ? { 'If-None-Match': '*' } : { 'If-Match': etag } }, body }),
  );
}

export type Move = 'start' | 'pause' | 'stop';

/** Starts, pauses or stops a campaign. */
export function moveCampaign(key: string, move: Move) {
  const params = { path: { key } };
  switch (move) {
    case 'start':
      return unwrap(client.POST('/v1/campaigns/{key}/start', { params }));
    case 'pause':
      return unwrap(client.POST('/v1/campaigns/{key}/pause', { params }));
    case 'stop':
      return unwrap(client.POST('/v1/campaigns/{key}/stop', { params }));
  }
}

export function dryRunCampaign(key: string, baseline: number) {
  return unwrap(client.POST('/v1/campaigns/{key}/dry-run', { params: { path: { key }, query: { baseline, sample: 2000 } } }));
}

/** What a decision point would decide about a segment, or about everybody; nothing is decided. */
export function dryRunPoint(key: string, segment: string | null) {
  const audience = segment === null ? { everybody: true } : { segment };
  return unwrap(client.POST('/v1/decision-points/{key}/dry-run', { params: { path: { key } }, body: { audience, sample: 2000, baseline: 0.02 } }));
}

export function testCampaign(key: string, person: string) {
  return unwrap(client.POST('/v1/campaigns/{key}/test', { params: { path: { key } }, body: { person } }));
}
