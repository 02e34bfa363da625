import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { problemFrom } from './problem';
import type { components, paths } from './schema';

type Answer<P> = P extends { get: { responses: { 200: { content: { 'application/json': infer B } } } } } ? B : never;
type Of<L> = NonNullable<L> extends readonly (infer I)[] ? I : never;

export type Standing = Answer<paths['/v1/model-registry/{key}']>;
export type ModelDefinition = Answer<paths['/v1/models/{key}']>;
export type ModelBody = components['schemas']['SpecBody'];
export type ModelFamily = ModelBody['family'];
export type TrainedVersion = Answer<paths['/v1/models/{key}/registry/{version}']>;
export type ModelMetrics = NonNullable<TrainedVersion['metrics']>;
export type ModelJob = Of<Answer<paths['/v1/models/{key}/jobs']>['items']>;
export type Drift = Of<ModelJob['drift']>;
export type Explanation = Answer<paths['/v1/models/{key}/people/{person}']>;

/** What is to be read again when a model has changed. */
export const modelKeys = [['predictive-models']];

/** One page of where models stand, by key. */
export const standingsQuery = (after = '') =>
  queryOptions({
    queryKey: ['predictive-models', 'list', after],
    queryFn: () => unwrap(client.GET('/v1/model-registry', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    refetchInterval: 10_000,
    placeholderData: keepPreviousData,
  });

/** Where one model stands; read often while a run is under way. */
export const standingQuery = (key: string) =>
  queryOptions({
    queryKey: ['predictive-models', 'standing', key],
    queryFn: () => unwrap(client.GET('/v1/model-registry/{key}', { params: { path: { key } } })),
    refetchInterval: ({ state: { data } }) => (data?.job !== undefined && data.job.endedAt === undefined ? 1_000 : 3_000),
  });

/** A definition with the tag that a change of it has to name. */
export const definitionQuery = (key: string) =>
  queryOptions({
    queryKey: ['predictive-models', 'definition', key],
    queryFn: async () => {
      const { data, error, response } = await client.GET('/v1/models/{key}', { params: { path: { key } } });
      if (data === undefined) throw problemFrom(response.status, error);
      return { definition: data, etag: response.headers.get('ETag') ?? '' };
    },
  });

export const trainedVersionsQuery = (key: string, before: string) =>
  queryOptions({
    queryKey: ['predictive-models', 'versions', key, before],
    queryFn: () =>
      unwrap(client.GET('/v1/models/{key}/registry', { params: { path: { key }, query: { limit: 10, ...(before === '' ? {} : { before: Number(before) }) } } })),
    refetchInterval: 10_000,
    placeholderData: keepPreviousData,
  });

/** A version with all its figures, which never change. */
export const trainedVersionQuery = (key: string, version: number) =>
  queryOptions({
    queryKey: ['predictive-models', 'version', key, version],
    queryFn: () => unwrap(client.GET('/v1/models/{key}/registry/{version}', { params: { path: { key, version } } })),
    staleTime: 30_000,
  });

export const modelJobsQuery = (key: string) =>
  queryOptions({
    queryKey: ['predictive-models', 'jobs', key],
    queryFn: () => unwrap(client.GET('/v1/models/{key}/jobs', { params: { path: { key }, query: { limit: 12 } } })),
    refetchInterval: 4_000,
  });

export const explanationQuery = (key: string, person: string) =>
  queryOptions({
    queryKey: ['predictive-models', 'explanation', key, person],
    queryFn: () => unwrap(client.GET('/v1/models/{key}/people/{person}', { params: { path: { key, person } } })),
    retry: false,
    staleTime: 60_000,
  });

/** Has a run begin after those that are under way. */
export const askForRun = (key: string, kind: ModelJob['kind']) =>
  unwrap(client.POST('/v1/models/{key}/jobs', { params: { path: { key } }, body: { kind } }));

export const promoteVersion = (key: string, version: number) =>
  unwrap(client.POST('/v1/models/{key}/registry/{version}/promote', { params: { path: { key, version } } }));

export const rollBackModel = (key: string) => unwrap(client.POST('/v1/models/{key}/roll-back', { params: { path: { key } } }));

/** Saves a model; without a tag it must be new, with one it must be unchanged. */
export const saveModel = (key: string, body: ModelBody, etag: string) =>
  unwrap(client.PUT('/v1/models/{key}', { params: { path: { key }, header: etag === '' ? { 'If-None-Match': '*' } : { 'If-Match': etag } }, body }));

export const deleteModel = (key: string) => unwrap(client.DELETE('/v1/models/{key}', { params: { path: { key } } }));
