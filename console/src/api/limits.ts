import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem } from './problem';
import type { BudgetBody, CapBody, QuietBody } from './types';

const page = (after: string) => ({ params: { query: { limit: 100, ...(after ? { after } : {}) } } });

export const capsQuery = (after = '') =>
  queryOptions({ queryKey: ['caps', after], queryFn: () => unwrap(client.GET('/v1/caps', page(after))), placeholderData: keepPreviousData });

export const quietHoursQuery = (after = '') =>
  queryOptions({ queryKey: ['quiet-hours', after], queryFn: () => unwrap(client.GET('/v1/quiet-hours', page(after))), placeholderData: keepPreviousData });

export const budgetsQuery = (after = '') =>
  queryOptions({ queryKey: ['budgets', after], queryFn: () => unwrap(client.GET('/v1/budgets', page(after))), placeholderData: keepPreviousData });

/** What is reserved and spent, and the prices of budgets. */
export const standingQuery = queryOptions({ queryKey: ['limits'], queryFn: () => unwrap(client.GET('/v1/limits')), refetchInterval: 10_000 });

/** A definition of one of the kinds; without a version it must be new, with one unchanged. */
export type LimitDraft =
  | { readonly kind: 'caps'; readonly body: CapBody }
  | { readonly kind: 'quiet-hours'; readonly body: QuietBody }
  | { readonly kind: 'budgets'; readonly body: BudgetBody };

export async function saveLimit(key: string, draft: LimitDraft, version: number | null): Promise<void> {
  const header = version === null ? { 'If-None-Match': '*' as const } : { 'If-Match': `"${version.toString()}"` };
  const params = { path: { key }, header };
  try {
    if (draft.kind === 'caps') await unwrap(client.PUT('/v1/caps/{key}', { params, body: draft.body }));
    else if (draft.kind === 'quiet-hours') await unwrap(client.PUT('/v1/quiet-hours/{key}', { params, body: draft.body }));
    else await unwrap(client.PUT('/v1/budgets/{key}', { params, body: draft.body }));
  } catch (error) {
    if (version !== null || !(error instanceof Problem && error.status === 412)) throw error;
    throw new Problem(412, 'The key is taken', '', [{ location: 'key', message: 'is that of another definition' }]);
  }
}

export async function deleteLimit(kind: LimitDraft['kind'], key: string, version: number): Promise<void> {
  const params = { path: { key }, header: { 'If-Match': `"${version.toString()}"` } };
  if (kind === 'caps') await unwrap(client.DELETE('/v1/caps/{key}', { params }));
  else if (kind === 'quiet-hours') await unwrap(client.DELETE('/v1/quiet-hours/{key}', { params }));
  else await unwrap(client.DELETE('/v1/budgets/{key}', { params }));
}
