/** What a plot of intervals needs of one of them; the unit is the caller's. */
export interface Interval {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
}

/** A linear axis: positions are percentages of its width. */
export interface Scale {
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
  position(value: number): number;
}

/** The smallest of 1, 2 and 5 times a power of ten that needs no more than so many steps. */
export function niceStep(span: number, steps: number): number {
  if (!(span > 0) || !Number.isFinite(span)) return 1;
  const rough = span / Math.max(1, steps);
  const power = 10 ** Math.floor(Math.log10(rough));
  const ratio = rough / power;
  return (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10) * power;
}

// One interval that says nothing must not squeeze those that do: an axis
// reaches at most this many times as far as the middle one of its intervals.
const farthestReach = 4;

/** How far from zero the axis may reach; every estimate is within. */
function reachLimit(intervals: readonly Interval[]): number {
  if (intervals.length < 3) return Number.POSITIVE_INFINITY;
  const reaches = intervals
    .map(({ lower, upper }) => Math.max(Math.abs(lower), Math.abs(upper)))
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const middle = reaches[Math.floor(reaches.length / 2)];
  if (middle === undefined) return Number.POSITIVE_INFINITY;
  const estimates = intervals.map(({ estimate }) => Math.abs(estimate)).filter(Number.isFinite);
  return Math.max(middle * farthestReach, ...estimates);
}

/**
 * One axis for several intervals. It always holds zero, so that "no effect" is
 * on the picture, and leaves room at both ends, so that no whisker touches an
 * edge. Bounds that are not numbers are left out; those far outside of the
 * others leave the picture.
 */
export function intervalScale(intervals: readonly Interval[], steps = 6): Scale {
  const limit = reachLimit(intervals);
  const values = [0];
  for (const { estimate, lower, upper } of intervals) {
    for (const value of [estimate, lower, upper]) {
      if (Number.isFinite(value)) values.push(Math.min(limit, Math.max(-limit, value)));
    }
  }
  let from = Math.min(...values);
  let to = Math.max(...values);
  if (from === to) {
    from = -1;
    to = 1;
  }
  const room = (to - from) * 0.08;
  from -= room;
  to += room;
  const step = niceStep(to - from, steps);
  const ticks: number[] = [];
  for (let i = Math.ceil(from / step); i * step <= to; i++) ticks.push(Number((i * step).toPrecision(12)));
  return {
    from,
    to,
    ticks,
    position: (value) => Math.min(100, Math.max(0, ((value - from) / (to - from)) * 100)),
  };
}

/** What an interval says about an effect. */
export type Verdict = 'better' | 'worse' | 'unclear';

/** Reads an interval: an effect is shown only when the whole of it lies on one side of zero. */
export function verdict(interval: Interval, direction: string | undefined): Verdict {
  const { lower, upper } = interval;
  if (!Number.isFinite(lower) || !Number.isFinite(upper) || (lower <= 0 && upper >= 0)) return 'unclear';
  return (lower > 0) === (direction !== 'decrease') ? 'better' : 'worse';
}
