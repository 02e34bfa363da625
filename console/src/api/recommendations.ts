import { queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem } from './problem';
import type { paths } from './schema';

type Answer<P> = P extends { get: { responses: { 200: { content: { 'application/json': infer B } } } } } ? B : never;
export type RecommendationList = Answer<paths['/v1/recommendations']>;
export type RecommendedItem = NonNullable<RecommendationList['items']>[number];
export type RecommenderState = Answer<paths['/v1/recommenders']>;
export type Build = NonNullable<RecommenderState['version']>;

export const recommendersQuery = queryOptions({
  queryKey: ['recommenders'],
  queryFn: () => unwrap(client.GET('/v1/recommenders')),
  refetchInterval: 15_000,
});

export const placementsQuery = queryOptions({
  queryKey: ['placements'],
  queryFn: () => unwrap(client.GET('/v1/placements', { params: { query: { limit: 100 } } })),
});

type Placements = Answer<paths['/v1/placements']>;
export type PlacementRow = NonNullable<Placements['items']>[number];
export type PlacementBody = paths['/v1/placements/{key}']['put']['requestBody']['content']['application/json'];
export type PreviewQuery = paths['/v1/recommendations/preview']['post']['requestBody']['content']['application/json'];
export type Draft = NonNullable<PreviewQuery['draft']>;
type PreviewAnswer = paths['/v1/recommendations/preview']['post']['responses'][200]['content']['application/json'];
export type PreviewList = PreviewAnswer['list'];
export type PreviewItem = NonNullable<PreviewList['items']>[number];
export type ServedLists = Answer<paths['/v1/recommenders/served']>;

export const placementsPage = (after: string) =>
  queryOptions({
    queryKey: ['placements', 'page', after],
    queryFn: () => unwrap(client.GET('/v1/placements', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
  });

export const placementQuery = (key: string) =>
  queryOptions({ queryKey: ['placements', 'of', key], queryFn: () => unwrap(client.GET('/v1/placements/{key}', { params: { path: { key } } })) });

export const servedQuery = queryOptions({
  queryKey: ['recommenders', 'served'],
  queryFn: () => unwrap(client.GET('/v1/recommenders/served')),
  refetchInterval: 10_000,
});

export type ListHistory = Answer<paths['/v1/recommenders/history']>;

/** What became of the lists of the last 28 days, by placement. */
export const historyQuery = queryOptions({
  queryKey: ['recommenders', 'history'],
  queryFn: () => unwrap(client.GET('/v1/recommenders/history', { params: { query: { total: true } } })),
  refetchInterval: 60_000,
});

/** What somebody would be shown; nothing is shown to anybody, logged or counted. */
export const preview = (body: PreviewQuery) => unwrap(client.POST('/v1/recommendations/preview', { body }));

/** Writes the rules of a placement; without a version it must be new. */
export async function savePlacement(key: string, version: number | null, body: PlacementBody): Promise<void> {
  const header = version === null ? { 'If-None-Match': '*' as const } : { 'If-Match': `"${version.toString()}"` };
  try {
    await unwrap(client.PUT('/v1/placements/{key}', { params: { path: { key }, header }, body }));
  } catch (error) {
    if (version !== null || !(error instanceof Problem && error.status === 412)) throw error;
    throw new Problem(412, 'The key is taken', '', [{ location: 'key', message: 'is that of another placement' }]);
  }
}

export async function deletePlacement(key: string, version: number): Promise<void> {
  await unwrap(client.DELETE('/v1/placements/{key}', { params: { path: { key }, header: { 'If-Match': `"${version.toString()}"` } } }));
}
