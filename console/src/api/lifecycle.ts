import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem } from './problem';

/** The moment behind the last of a day, in UTC; undefined for the last computation. */
export function endOfDay(day: string): string | undefined {
  if (day === '') return undefined;
  const end = Date.parse(`${day}T00:00:00Z`) + 86_400_000;
  return new Date(Math.min(end, Date.now() - 1000)).toISOString();
}

function moment(day: string): { at?: string } {
  const at = endOfDay(day);
  return at === undefined ? {} : { at };
}

/** Who stands where, as of the end of a day; of the last computation when the day is empty. */
export const boardQuery = (day: string) =>
  queryOptions({
    queryKey: ['lifecycle', 'board', day],
    queryFn: () => unwrap(client.GET('/v1/lifecycle/board', { params: { query: moment(day) } })),
    staleTime: day === '' ? 10_000 : 600_000,
    refetchInterval: day === '' ? 60_000 : false,
    placeholderData: keepPreviousData,
  });

/** Customers by RFM code, as of the same moments as the board. */
export const rfmQuery = (day: string) =>
  queryOptions({
    queryKey: ['lifecycle', 'rfm', day],
    queryFn: () => unwrap(client.GET('/v1/lifecycle/rfm', { params: { query: moment(day) } })),
    staleTime: day === '' ? 10_000 : 600_000,
    refetchInterval: day === '' ? 60_000 : false,
    placeholderData: keepPreviousData,
  });

/** The rules of stages, segments, losses and RFM segments. */
export const tableQuery = queryOptions({
  queryKey: ['lifecycle', 'table'],
  queryFn: () => unwrap(client.GET('/v1/lifecycle')),
  staleTime: 60_000,
});

/** By what the matrix of moves goes. */
export type MovesBy = 'segment' | 'stage' | 'rfm';

/** The moves of one month, such as 2026-11, computed from the events. */
export const movesQuery = (month: string, by: MovesBy) =>
  queryOptions({
    queryKey: ['lifecycle', 'moves', month, by],
    queryFn: async () => {
      const matrix = await unwrap(client.GET('/v1/lifecycle/matrix', { params: { query: { from: month, to: month, by } } }));
      return matrix.months[0] ?? null;
    },
    staleTime: 600_000,
    placeholderData: keepPreviousData,
  });

/** The attribute of people that says where they stand. */
export type PlaceAttribute = 'stage' | 'lifecycleSegment' | 'losses' | 'rfmSegment';

/** The key of the dynamic segment that holds the people of a place. */
export function placeSegmentKey(attribute: PlaceAttribute, key: string): string {
  const prefix = { stage: 'stage', lifecycleSegment: 'lifecycle', losses: 'loss', rfmSegment: 'rfm' }[attribute];
  return `${prefix}-${key}`.slice(0, 64);
}

export interface PlacePeople {
  /** Whether a segment for the place exists. */
  readonly there: boolean;
  /** Whether everybody was looked at since the segment was made. */
  readonly ready: boolean;
  readonly people: readonly { readonly profileId: string; readonly lastSeenAt: string; readonly identifier: string }[];
}

const shownPeople = 10;

/** The first people of the segment that was made of a place, if one was. */
export const placePeopleQuery = (attribute: PlaceAttribute, key: string) =>
  queryOptions({
    queryKey: ['segment-of-place', attribute, key],
    queryFn: async (): Promise<PlacePeople> => {
      const path = { key: placeSegmentKey(attribute, key) };
      // Asked by a list, so that a segment that is not there is no error.
      const after = path.key.slice(0, -1);
      const page = await unwrap(client.GET('/v1/segments', { params: { query: { after, limit: 20 } } }));
      if (!page.items.some((each) => each.key === path.key)) return { there: false, ready: true, people: [] };
      const { ready } = await unwrap(client.GET('/v1/segments/{key}/count', { params: { path } }));
      const members = await unwrap(client.GET('/v1/segments/{key}/members', { params: { path, query: { limit: shownPeople } } }));
      const people = members.items.map((card) => ({
        profileId: card.profileId,
        lastSeenAt: card.lastSeenAt,
        identifier: card.identifiers[0]?.value ?? card.profileId,
      }));
      return { there: true, ready, people };
    },
    refetchInterval: (query) => (query.state.data?.ready === false ? 1000 : false),
  });

/** Makes the dynamic segment of those who stand in a place. */
export async function makePlaceSegment(attribute: PlaceAttribute, key: string, name: string): Promise<void> {
  const rule = { attribute, op: attribute === 'losses' ? 'contains' : 'eq', value: key };
  const path = { key: placeSegmentKey(attribute, key) };
  try {
    await unwrap(client.PUT('/v1/segments/{key}', { params: { path, header: { 'If-None-Match': '*' } }, body: { name, kind: 'dynamic', rule } }));
  } catch (error) {
    // Somebody else made it a moment ago: that is what was wanted.
    if (!(error instanceof Problem && error.status === 412)) throw error;
  }
}
