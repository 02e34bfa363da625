import { queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
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

/** What a preview asks for. */
export interface Asked {
  readonly user: string;
  readonly items: readonly string[];
  readonly placement: string;
}

export const recommend = ({ user, items, placement }: Asked) =>
  unwrap(
    client.GET('/v1/recommendations', {
      params: { query: { placement, limit: 20, ...(user === '' ? {} : { user }), ...(items.length === 0 ? {} : { item: [...items] }) } },
    }),
  );
