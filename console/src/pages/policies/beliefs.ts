import type { Posterior } from '../../api/types';

/** What is believed of one thing. */
export interface BeliefRow {
  readonly label: string;
  readonly decisions: number;
  readonly mean: number;
  readonly lower: number;
  readonly upper: number;
}

/** Beliefs under one heading. */
export interface BeliefGroup {
  readonly name: string;
  readonly rows: readonly BeliefRow[];
}

const mostRows = 12;

/** Actions first, then each factor that has more than one value; the best come first. */
export function beliefGroups({ actions, factors }: Pick<Posterior, 'actions' | 'factors'>): BeliefGroup[] {
  const best = (rows: readonly BeliefRow[]) => [...rows].sort((a, b) => b.mean - a.mean || a.label.localeCompare(b.label)).slice(0, mostRows);
  const byFactor = new Map<string, BeliefRow[]>();
  for (const { factor, level, decisions, mean, lower, upper } of factors) {
    byFactor.set(factor, [...(byFactor.get(factor) ?? []), { label: level, decisions, mean, lower, upper }]);
  }
  const named = [...byFactor].filter(([, rows]) => rows.length > 1).map(([factor, rows]) => ({ name: capital(factor), rows: best(rows) }));
  return [{ name: 'Action', rows: best(actions.map(({ action, decisions, mean, lower, upper }) => ({ label: action, decisions, mean, lower, upper }))) }, ...named];
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
