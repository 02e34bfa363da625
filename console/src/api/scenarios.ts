import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import type { Move } from './campaigns';
import { client, unwrap } from './client';
import { problemFrom } from './problem';
import type { Scenario, ScenarioBody } from './types';

/** One page of the scenarios, by key. */
export const scenariosQuery = (after = '') =>
  queryOptions({
    queryKey: ['scenarios', 'list', after],
    queryFn: () => unwrap(client.GET('/v1/scenarios', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    placeholderData: keepPreviousData,
  });

/** A scenario with the tag that a change of it has to name. */
export interface TaggedScenario {
  readonly scenario: Scenario;
  readonly etag: string;
}

export const scenarioQuery = (key: string) =>
  queryOptions({
    queryKey: ['scenarios', 'one', key],
    queryFn: async (): Promise<TaggedScenario> => {
      const { data, error, response } = await client.GET('/v1/scenarios/{key}', { params: { path: { key } } });
      if (data === undefined) throw problemFrom(response.status, error);
      return { scenario: data, etag: response.headers.get('ETag') ?? '' };
    },
  });

export const scenarioStateQuery = (key: string) =>
  queryOptions({
    queryKey: ['scenarios', 'state', key],
    queryFn: () => unwrap(client.GET('/v1/scenarios/{key}/state', { params: { path: { key } } })),
    refetchInterval: 5_000,
  });

export const scenarioProgressQuery = (key: string) =>
  queryOptions({
    queryKey: ['scenarios', 'progress', key],
    queryFn: () => unwrap(client.GET('/v1/scenarios/{key}/progress', { params: { path: { key } } })),
    refetchInterval: 5_000,
  });

export const scenarioRunsQuery = (key: string, before = '') =>
  queryOptions({
    queryKey: ['scenarios', 'runs', key, before],
    queryFn: () => unwrap(client.GET('/v1/scenarios/{key}/runs', { params: { path: { key }, query: { limit: 20, ...(before ? { before } : {}) } } })),
    refetchInterval: 5_000,
    placeholderData: keepPreviousData,
  });

/** One person's way, step by step. */
export const scenarioRunQuery = (id: string) =>
  queryOptions({
    queryKey: ['scenarios', 'run', id],
    queryFn: () => unwrap(client.GET('/v1/scenario-runs/{id}', { params: { path: { id } } })),
    refetchInterval: 5_000,
  });

export const scenarioVersionsQuery = (key: string) =>
  queryOptions({
    queryKey: ['scenarios', 'versions', key],
    queryFn: () => unwrap(client.GET('/v1/scenarios/{key}/versions', { params: { path: { key }, query: { limit: 20 } } })),
  });

/** The library of templates; it is part of the service's version. */
export const scenarioTemplatesQuery = queryOptions({
  queryKey: ['scenarios', 'templates'],
  queryFn: () => unwrap(client.GET('/v1/scenario-templates')),
  staleTime: Number.POSITIVE_INFINITY,
});

export function fillTemplate(key: string, variables: Readonly<Record<string, string | number>>) {
  return unwrap(client.POST('/v1/scenario-templates/{key}/fill', { params: { path: { key } }, body: { variables: { ...variables } } }));
}

/** Saves a scenario; without a tag it must be new, with one it must be unchanged. */
export function saveScenario(key: string, body: ScenarioBody, etag: string) {
  return unwrap(
    client.PUT('/v1/scenarios/{key}', { params: { path: { key }, header: etag === '' ? { 'If-None-Match': '*' } : { 'If-Match': etag } }, body }),
  );
}

/** Starts, pauses or stops a scenario. */
export function moveScenario(key: string, move: Move) {
  const params = { path: { key } };
  switch (move) {
    case 'start':
      return unwrap(client.POST('/v1/scenarios/{key}/start', { params }));
    case 'pause':
      return unwrap(client.POST('/v1/scenarios/{key}/pause', { params }));
    case 'stop':
      return unwrap(client.POST('/v1/scenarios/{key}/stop', { params }));
  }
}

export function testScenario(key: string, node: string, person: string) {
  return unwrap(client.POST('/v1/scenarios/{key}/test', { params: { path: { key } }, body: { node, person } }));
}
