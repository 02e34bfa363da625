import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import type { NewCandidate } from './types';

const interval = 15_000;

/** What is to be read again when a policy has changed. */
export const policyKeys = (key: string) => [['policy', key], ['decision-point', key], ['decision-points'], ['models', key]];

export const policyQuery = (key: string) =>
  queryOptions({
    queryKey: ['policy', key, 'state'],
    queryFn: () => unwrap(client.GET('/v1/decision-points/{key}/policies', { params: { path: { key } } })),
    refetchInterval: interval,
  });

/** What a version believes; 0 is the one in use. */
export const posteriorQuery = (key: string, version: number) =>
  queryOptions({
    queryKey: ['policy', key, 'posterior', version],
    queryFn: () =>
      unwrap(
        client.GET('/v1/decision-points/{key}/policies/posterior', {
          params: { path: { key }, query: version > 0 ? { version } : {} },
        }),
      ),
    placeholderData: keepPreviousData,
  });

export const policyHealthQuery = (key: string) =>
  queryOptions({
    queryKey: ['policy', key, 'health'],
    queryFn: () => unwrap(client.GET('/v1/decision-points/{key}/policies/health', { params: { path: { key } } })),
  });

export const policyVersionsQuery = (key: string, live: boolean, before: string) =>
  queryOptions({
    queryKey: ['policy', key, 'versions', live, before],
    queryFn: () =>
      unwrap(
        client.GET('/v1/decision-points/{key}/policies/versions', {
          params: { path: { key }, query: { candidate: '*', live, limit: 12, ...(before === '' ? {} : { before: Number(before) }) } },
        }),
      ),
    placeholderData: keepPreviousData,
  });

export const comparisonQuery = (key: string, candidate: string) =>
  queryOptions({
    queryKey: ['policy', key, 'comparison', candidate],
    queryFn: () =>
      unwrap(
        client.GET('/v1/decision-points/{key}/policies/candidates/{candidate}/comparison', {
          params: { path: { key, candidate } },
        }),
      ),
  });

export const putCandidate = (key: string, candidate: string, body: NewCandidate) =>
  unwrap(client.PUT('/v1/decision-points/{key}/policies/candidates/{candidate}', { params: { path: { key, candidate } }, body }));

export const removeCandidate = (key: string, candidate: string) =>
  unwrap(client.DELETE('/v1/decision-points/{key}/policies/candidates/{candidate}', { params: { path: { key, candidate } } }));

export const promoteCandidate = (key: string, candidate: string, reason: string) =>
  unwrap(
    client.POST('/v1/decision-points/{key}/policies/candidates/{candidate}/promote', {
      params: { path: { key, candidate } },
      body: { reason },
    }),
  );

/** Goes back to a version of the model, or with 0 to the policy before the last promotion. */
export const revertPolicy = (key: string, version: number, reason: string) =>
  unwrap(
    client.POST('/v1/decision-points/{key}/policies/revert', {
      params: { path: { key } },
      body: { reason, ...(version > 0 ? { version } : {}) },
    }),
  );

export const releasePolicy = (key: string) =>
  unwrap(client.POST('/v1/decision-points/{key}/policies/release', { params: { path: { key } } }));
