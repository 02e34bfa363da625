import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem } from './problem';
import type { paths } from './schema';

type Json<R> = R extends { content: { 'application/json': infer T } } ? T : never;
type Get<P extends keyof paths> = paths[P] extends { get: { responses: { 200: infer R } } } ? Json<R> : never;
type Of<L> = NonNullable<L> extends readonly (infer I)[] ? I : never;

export type CatalogueOverview = Get<'/v1/catalogue'>;
export type CategoryNode = Of<CatalogueOverview['categories']>;
export type CatalogueItem = Of<Get<'/v1/catalogue/items'>['items']>;
export type CatalogueItemPage = Get<'/v1/catalogue/items/{key}'>;
export type Standing = CatalogueItem['standing'];
export type Related = Of<CatalogueItemPage['knowledge']['related']>;
export type Neighbour = Of<Related['items']>;
export type Feed = Get<'/v1/feeds/{key}'>;
export type FeedBody = paths['/v1/feeds/{key}']['put']['requestBody']['content']['application/json'];
export type FeedRuns = Get<'/v1/feeds/{key}/runs'>;
export type FeedState = FeedRuns['state'];
export type FeedRun = Of<FeedRuns['items']>;
export type FeedTrial = Json<paths['/v1/feed-test']['post']['responses'][200]>;

/** Which items are looked at; empty fields take all. */
export interface ItemFilter {
  readonly text: string;
  readonly category: string;
  readonly standing: string;
  readonly feed: string;
  readonly minPrice: number;
  readonly maxPrice: number;
}

type SearchQuery = NonNullable<paths['/v1/catalogue/items']['get']['parameters']['query']>;
type AskedStanding = NonNullable<SearchQuery['standing']>;

export const standings: readonly AskedStanding[] = ['offered', 'not-offered', 'sold-out', 'not-yet', 'over', 'feed-gone'];

const asked = (filter: ItemFilter, after: string): SearchQuery => {
  const standing = standings.find((one) => one === filter.standing);
  return {
    limit: 50,
    ...(after ? { after } : {}),
    ...(filter.text === '' ? {} : { q: filter.text }),
    ...(filter.category === '' ? {} : { category: filter.category }),
    ...(standing === undefined ? {} : { standing }),
    ...(filter.feed === '' ? {} : { feed: filter.feed }),
    ...(filter.minPrice > 0 ? { minPrice: filter.minPrice } : {}),
    ...(filter.maxPrice > 0 ? { maxPrice: filter.maxPrice } : {}),
  };
};

export const itemsQuery = (filter: ItemFilter) => (after: string) =>
  queryOptions({
    queryKey: ['catalogue', 'items', filter, after],
    queryFn: () => unwrap(client.GET('/v1/catalogue/items', { params: { query: asked(filter, after) } })),
    placeholderData: keepPreviousData,
  });

export const overviewQuery = queryOptions({
  queryKey: ['catalogue', 'overview'],
  queryFn: () => unwrap(client.GET('/v1/catalogue')),
  staleTime: 10_000,
});

export const itemQuery = (key: string) =>
  queryOptions({
    queryKey: ['catalogue', 'item', key],
    queryFn: () => unwrap(client.GET('/v1/catalogue/items/{key}', { params: { path: { key } } })),
  });

export const feedQuery = (key: string) =>
  queryOptions({ queryKey: ['feeds', 'of', key], queryFn: () => unwrap(client.GET('/v1/feeds/{key}', { params: { path: { key } } })) });

export const feedRunsQuery = (key: string) =>
  queryOptions({
    queryKey: ['feeds', 'runs', key],
    queryFn: () => unwrap(client.GET('/v1/feeds/{key}/runs', { params: { path: { key } } })),
    refetchInterval: 10_000,
  });

export const runFeed = (key: string) => unwrap(client.POST('/v1/feeds/{key}/run', { params: { path: { key } } }));

/** Reads the beginning of a feed; nothing is written. */
export const tryFeed = (body: FeedBody) => unwrap(client.POST('/v1/feed-test', { body }));

/** Writes a feed; without a version it must be new. */
export async function saveFeed(key: string, version: number | null, body: FeedBody): Promise<void> {
  const header = version === null ? { 'If-None-Match': '*' as const } : { 'If-Match': `"${version.toString()}"` };
  try {
    await unwrap(client.PUT('/v1/feeds/{key}', { params: { path: { key }, header }, body }));
  } catch (error) {
    if (version !== null || !(error instanceof Problem && error.status === 412)) throw error;
    throw new Problem(412, 'The key is taken', '', [{ location: 'key', message: 'is that of another feed' }]);
  }
}

export async function deleteFeed(key: string, version: number): Promise<void> {
  await unwrap(client.DELETE('/v1/feeds/{key}', { params: { path: { key }, header: { 'If-Match': `"${version.toString()}"` } } }));
}
