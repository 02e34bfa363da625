import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { problemFrom } from './problem';
import type { ExperienceSettings } from './types';

export const metricKeys = ['nps', 'csat', 'ces', 'retention', 'churn', 'gained', 'lost', 'average-order', 'acquisition-cost'] as const;
export type MetricKey = (typeof metricKeys)[number];
export const periodKeys = ['day', 'week', 'month'] as const;
export type PeriodKey = (typeof periodKeys)[number];

/** What a report is asked for; days are inclusive, an empty segment is everybody. */
export interface ReportChoice {
  readonly from: string;
  readonly to: string;
  readonly period: PeriodKey;
  readonly segment: string;
}

/** One metric period by period. Spend belongs to no segment, so the cost of acquisition is always everybody's. */
export const experienceQuery = (metric: MetricKey, choice: ReportChoice) => {
  const segment = metric === 'acquisition-cost' ? '' : choice.segment;
  return queryOptions({
    queryKey: ['experience', metric, choice.from, choice.to, choice.period, segment],
    queryFn: () =>
      unwrap(
        client.GET('/v1/experience', {
          params: { query: { metric, from: choice.from, to: choice.to, period: choice.period, ...(segment === '' ? {} : { segment }) } },
        }),
      ),
    staleTime: 60_000,
    placeholderData: keepPreviousData,
  });
};

export const experienceSettingsQuery = queryOptions({
  queryKey: ['experience-settings'],
  queryFn: () => unwrap(client.GET('/v1/experience/settings')),
});

export async function saveExperienceSettings(settings: ExperienceSettings): Promise<void> {
  await unwrap(client.PUT('/v1/experience/settings', { body: settings }));
}

/** What marketing cost in the last year, the newest day first. */
export const spendQuery = queryOptions({
  queryKey: ['marketing-spend'],
  queryFn: () => unwrap(client.GET('/v1/marketing-spend', { params: { query: { limit: 1000 } } })),
});

const sendDeadlineMs = 60_000;

/** Sends spend as CSV, all rows or none, and gives how many were recorded. */
export async function sendSpend(csv: string): Promise<number> {
  const response = await fetch('/v1/marketing-spend', {
    method: 'POST',
    headers: { 'Content-Type': 'text/csv' },
    body: csv,
    signal: AbortSignal.timeout(sendDeadlineMs),
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw problemFrom(response.status, answer);
  const written = typeof answer === 'object' && answer !== null && 'written' in answer ? answer.written : 0;
  return typeof written === 'number' ? written : 0;
}
