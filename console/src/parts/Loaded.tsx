import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { asProblem } from '../api/problem';
import { timeOfDay } from '../format/time';
import { ProblemPanel } from './ProblemPanel';
import './loaded.css';

interface LoadedProps<T> {
  readonly query: UseQueryResult<T>;
  readonly skeleton: ReactNode;
  readonly children: (data: T) => ReactNode;
}

/**
 * Shows a query in the state that it is in. Data once loaded stay on the page
 * when a later refresh fails, with a word about their age: a passing fault
 * must not blank the page, and old figures must not look new.
 */
export function Loaded<T>({ query, skeleton, children }: LoadedProps<T>) {
  if (query.data !== undefined) {
    return (
      <>
        {query.isError && <Stale error={query.error} at={query.dataUpdatedAt} />}
        {children(query.data)}
      </>
    );
  }
  if (query.isError) return <ProblemPanel error={query.error} retry={() => void query.refetch()} />;
  return <div aria-busy="true">{skeleton}</div>;
}

function Stale({ error, at }: { readonly error: unknown; readonly at: number }) {
  return (
    <p className="q-stale" role="status">
      As of {timeOfDay(new Date(at).toISOString())}: refreshing fails ({asProblem(error).title}). It is tried again by itself.
    </p>
  );
}
