import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem } from './problem';
import type { ExperimentBody, Report } from './types';

export const experimentsQuery = (after = '') =>
  queryOptions({
    queryKey: ['experiments', after],
    queryFn: () => unwrap(client.GET('/v1/experiments', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    refetchInterval: 15_000,
    placeholderData: keepPreviousData,
  });

export const experimentQuery = (key: string) =>
  queryOptions({
    queryKey: ['experiment', key],
    queryFn: () => unwrap(client.GET('/v1/experiments/{key}', { params: { path: { key } } })),
  });

// The same route writes the report in other formats; without one it answers with JSON.
async function fetchReport(key: string, query: { readonly dimension?: string; readonly brief?: boolean }): Promise<Report> {
  const answer = await unwrap(client.GET('/v1/experiments/{key}/report', { params: { path: { key }, query: { ...query } } }));
  return answer as Report;
}

/** A report without its course over time and costs, for a list. */
export const briefReportQuery = (key: string) =>
  queryOptions({
    queryKey: ['report', key, 'brief'],
    queryFn: () => fetchReport(key, { brief: true }),
    staleTime: 60_000,
    placeholderData: keepPreviousData,
  });

/** Where the report is written as a file. */
export function reportFile(key: string, format: ReportFormat): string {
  return `/v1/experiments/${encodeURIComponent(key)}/report?format=${format}`;
}

export const reportFormats = [
  { value: 'html', label: 'Page with charts (HTML)' },
  { value: 'markdown', label: 'Markdown' },
  { value: 'csv', label: 'CSV' },
  { value: 'json', label: 'JSON' },
] as const;

export type ReportFormat = (typeof reportFormats)[number]['value'];

/** The report of an experiment; it is computed from the log at each call. */
export const reportQuery = (key: string) =>
  queryOptions({
    queryKey: ['report', key],
    queryFn: () => fetchReport(key, {}),
    staleTime: 20_000,
    placeholderData: keepPreviousData,
  });

/** The report with its metrics by the value of a dimension. */
export const dimensionQuery = (key: string, dimension: string) =>
  queryOptions({
    queryKey: ['report', key, 'by', dimension],
    queryFn: () => fetchReport(key, { dimension }),
    staleTime: 60_000,
  });

/** The change log, newest first. */
export const changesQuery = (key: string) =>
  infiniteQueryOptions({
    queryKey: ['experiment', key, 'changes'],
    queryFn: ({ pageParam }) => unwrap(client.GET('/v1/experiments/{key}/changes', { params: { path: { key }, query: { limit: 20, ...(pageParam > 0 ? { before: pageParam } : {}) } } })),
    initialPageParam: 0,
    getNextPageParam: (page) => (page.next > 0 ? page.next : undefined),
  });

/** Saves an experiment; without a version it must be new, with one it must be unchanged. */
export async function saveExperiment(key: string, experiment: ExperimentBody, version: number | null): Promise<void> {
  const header = version === null ? { 'If-None-Match': '*' as const } : { 'If-Match': `"${version.toString()}"` };
  try {
    await unwrap(client.PUT('/v1/experiments/{key}', { params: { path: { key }, header }, body: experiment }));
  } catch (error) {
    if (version !== null || !(error instanceof Problem && error.status === 412)) throw error;
    throw new Problem(412, 'The key is taken', '', [{ location: 'key', message: 'is that of another experiment' }]);
  }
}

const moves = ['submit', 'approve', 'reject', 'start', 'stop', 'archive'] as const;
export type Move = (typeof moves)[number];

/** Moves an experiment on in its life. */
export async function moveExperiment(key: string, move: Move, reason: string): Promise<void> {
  const options = { params: { path: { key } }, body: reason === '' ? {} : { reason } };
  switch (move) {
    case 'submit':
      await unwrap(client.POST('/v1/experiments/{key}/submit', options));
      break;
    case 'approve':
      await unwrap(client.POST('/v1/experiments/{key}/approve', options));
      break;
    case 'reject':
      await unwrap(client.POST('/v1/experiments/{key}/reject', options));
      break;
    case 'start':
      await unwrap(client.POST('/v1/experiments/{key}/start', options));
      break;
    case 'stop':
      await unwrap(client.POST('/v1/experiments/{key}/stop', options));
      break;
    case 'archive':
      await unwrap(client.POST('/v1/experiments/{key}/archive', options));
      break;
  }
}

/** Takes an arm out of a running experiment. */
export async function dropVariant(key: string, variant: string, reason: string): Promise<void> {
  await unwrap(client.POST('/v1/experiments/{key}/drop', { params: { path: { key } }, body: { variant, ...(reason === '' ? {} : { reason }) } }));
}

/** Why a unit got its variant, computed again from the definitions of that time. */
export function auditAssignment(key: string, unit: string, at: string) {
  return unwrap(client.GET('/v1/experiments/{key}/assignment', { params: { path: { key }, query: { unit, ...(at === '' ? {} : { at }) } } }));
}
