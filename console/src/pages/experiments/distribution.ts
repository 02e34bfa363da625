import type { MetricReport } from '../../api/types';

type Spread = NonNullable<MetricReport['distribution']>[number];

/** The quantiles of one arm that are drawn. */
export interface Box {
  readonly low: number;
  readonly lower: number;
  readonly middle: number;
  readonly upper: number;
  readonly high: number;
}

/** The value at a level; undefined where the arm has too few values for it. */
export function quantile(spread: Spread, level: number): number | undefined {
  return spread.quantiles.find((point) => Math.abs(point.level - level) < 1e-9)?.value;
}

/** The box of an arm: tenth to ninetieth percentile, quartiles and median. */
export function boxOf(spread: Spread): Box | undefined {
  const [low, lower, middle, upper, high] = [0.1, 0.25, 0.5, 0.75, 0.9].map((level) => quantile(spread, level));
  if (low === undefined || lower === undefined || middle === undefined || upper === undefined || high === undefined) return undefined;
  return { low, lower, middle, upper, high };
}

/** What all boxes of a metric lie within; zero is in it, so that lengths compare. */
export function extent(boxes: readonly (Box | undefined)[]): readonly [number, number] {
  const known = boxes.filter((box) => box !== undefined);
  return [Math.min(0, ...known.map(({ low }) => low)), Math.max(0, ...known.map(({ high }) => high))];
}

/** Where a value lies within the extent, in per cent. */
export function place(value: number, [from, to]: readonly [number, number]): number {
  return to > from ? ((value - from) / (to - from)) * 100 : 0;
}
