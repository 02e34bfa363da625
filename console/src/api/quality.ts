import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem } from './problem';
import type { EventSchemaBody, QuarantineFilter } from './types';

export const sourcesQuery = queryOptions({
  queryKey: ['sources'],
  queryFn: () => unwrap(client.GET('/v1/sources')),
  refetchInterval: 15_000,
});

const fieldRows = 100;

/** Fields of a source, of one event or of all, from an offset on. */
export const fieldsQuery = (source: string, event: string, offset: number) =>
  queryOptions({
    queryKey: ['source-fields', source, event, offset],
    queryFn: async () => {
      const page = await unwrap(
        client.GET('/v1/sources/{id}/fields', {
          params: { path: { id: source }, query: { limit: fieldRows, ...(offset > 0 ? { offset } : {}), ...(event === '' ? {} : { event }) } },
        }),
      );
      return { items: page.items, next: page.more ? (offset + fieldRows).toString() : '' };
    },
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
  });

const nameRows = 1000;
const namePages = 5;

/** Names of the events that a source sends, as far as its first 5,000 fields tell. */
export const eventNamesQuery = (source: string) =>
  queryOptions({
    queryKey: ['source-fields', source, 'events'],
    queryFn: async (): Promise<string[]> => {
      const names = new Set<string>();
      for (let page = 0; page < namePages; page++) {
        const { items, more } = await unwrap(
          client.GET('/v1/sources/{id}/fields', { params: { path: { id: source }, query: { limit: nameRows, offset: page * nameRows } } }),
        );
        for (const { event } of items) names.add(event);
        if (!more) break;
      }
      return [...names].sort((a, b) => a.localeCompare(b));
    },
    staleTime: 60_000,
  });

/** Scores by day of receipt; from and to are days. */
export const scoresQuery = (source: string, from: string, to: string) =>
  queryOptions({
    queryKey: ['source-scores', source, from, to],
    queryFn: () => unwrap(client.GET('/v1/sources/{id}/scores', { params: { path: { id: source }, query: { from, to } } })),
    refetchInterval: 60_000,
  });

export const quarantineQuery = (filter: QuarantineFilter, before = '') =>
  queryOptions({
    queryKey: ['quarantine', filter, before],
    queryFn: () => unwrap(client.GET('/v1/quarantine', { params: { query: { ...filter, limit: 50, ...(before ? { before } : {}) } } })),
    placeholderData: keepPreviousData,
    refetchInterval: 15_000,
  });

/** One refused message with its body. */
export const quarantinedQuery = (id: string) =>
  queryOptions({
    queryKey: ['quarantined', id],
    queryFn: () => unwrap(client.GET('/v1/quarantine/{id}', { params: { path: { id } } })),
  });

/** Which messages are meant: some by id, or all open ones that a filter finds, 500 at a time. */
export type Selection = { readonly ids: readonly string[] } | { readonly filter: QuarantineFilter };

function selected(selection: Selection) {
  return 'ids' in selection ? { ids: [...selection.ids] } : { filter: selection.filter };
}

/** Takes messages in, each corrected by a merge patch first unless it is undefined. */
export function replayQuarantined(selection: Selection, patch: unknown) {
  return unwrap(client.POST('/v1/quarantine/replay', { body: { ...selected(selection), ...(patch === undefined ? {} : { patch }) } }));
}

export function discardQuarantined(selection: Selection) {
  return unwrap(client.POST('/v1/quarantine/discard', { body: selected(selection) }));
}

export const eventSchemasQuery = (after = '') =>
  queryOptions({
    queryKey: ['event-schemas', after],
    queryFn: () => unwrap(client.GET('/v1/event-schemas', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    placeholderData: keepPreviousData,
  });

/** Saves a schema; without a version it must be new, with one it must be unchanged. */
export async function saveEventSchema(key: string, schema: EventSchemaBody, version: number | null): Promise<void> {
  const header = version === null ? { 'If-None-Match': '*' as const } : { 'If-Match': `"${version.toString()}"` };
  try {
    await unwrap(client.PUT('/v1/event-schemas/{key}', { params: { path: { key }, header }, body: schema }));
  } catch (error) {
    if (version !== null || !(error instanceof Problem && error.status === 412)) throw error;
    throw new Problem(412, 'The key is taken', '', [{ location: 'key', message: 'is that of another schema' }]);
  }
}

export async function deleteEventSchema(key: string, version: number): Promise<void> {
  await unwrap(client.DELETE('/v1/event-schemas/{key}', { params: { path: { key }, header: { 'If-Match': `"${version.toString()}"` } } }));
}
