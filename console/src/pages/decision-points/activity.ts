import type { ActivitySeries } from '../../api/types';

/** An action's part in the decisions of a span of time. */
export interface ActionShare {
  readonly action: string;
  readonly decisions: number;
  readonly share: number;
  /** Mean propensity of the decisions that took it. */
  readonly meanPropensity: number;
}

/** Actions by how often they were taken, most first. */
export function actionShares(series: readonly ActivitySeries[]): ActionShare[] {
  const sums = series.map(({ action, points }) => {
    let decisions = 0;
    let propensity = 0;
    for (const point of points ?? []) {
      decisions += point.decisions;
      propensity += point.decisions * point.meanPropensity;
    }
    return { action, decisions, propensity };
  });
  const total = sums.reduce((sum, each) => sum + each.decisions, 0);
  return sums
    .map(({ action, decisions, propensity }) => ({
      action,
      decisions,
      share: total > 0 ? decisions / total : 0,
      meanPropensity: decisions > 0 ? propensity / decisions : 0,
    }))
    .sort((a, b) => b.decisions - a.decisions || a.action.localeCompare(b.action));
}

/** The name of the band that holds every action without a colour of its own. */
export const otherBand = 'all other actions';

/** One band of the stacked picture: its share of each bucket. */
export interface Band {
  readonly name: string;
  readonly shares: readonly number[];
}

/** Buckets in time and the bands over them. */
export interface Bands {
  readonly at: readonly number[];
  readonly decisions: readonly number[];
  readonly bands: readonly Band[];
}

/**
 * Lays the series over common buckets: the most taken actions get a band each,
 * the rest one together. A bucket without decisions has no shares at all.
 */
export function activityBands(series: readonly ActivitySeries[], most: number): Bands {
  const named = actionShares(series)
    .slice(0, series.length > most ? most - 1 : most)
    .map((each) => each.action);
  const buckets = new Map<number, Map<string, number>>();
  for (const { action, points } of series) {
    const name = named.includes(action) ? action : otherBand;
    for (const point of points ?? []) {
      const at = Date.parse(point.at);
      const bucket = buckets.get(at) ?? new Map<string, number>();
      bucket.set(name, (bucket.get(name) ?? 0) + point.decisions);
      buckets.set(at, bucket);
    }
  }
  const at = [...buckets.keys()].sort((a, b) => a - b);
  const decisions = at.map((time) => [...(buckets.get(time)?.values() ?? [])].reduce((sum, n) => sum + n, 0));
  const names = series.length > named.length ? [...named, otherBand] : named;
  return {
    at,
    decisions,
    bands: names.map((name) => ({
      name,
      shares: at.map((time, index) => {
        const total = decisions[index] ?? 0;
        return total > 0 ? (buckets.get(time)?.get(name) ?? 0) / total : 0;
      }),
    })),
  };
}
