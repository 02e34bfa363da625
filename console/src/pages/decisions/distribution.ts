import type { Candidate } from '../../api/types';

/** One action's stretch of the line from 0 to 1 on which the draw falls. */
export interface Stretch {
  readonly action: string;
  readonly from: number;
  readonly to: number;
}

/** The cumulative distribution in the order in which the policy lays it out. */
export function cumulative(candidates: readonly Candidate[]): Stretch[] {
  let from = 0;
  return candidates.map(({ action, probability }) => {
    const stretch = { action, from, to: from + probability };
    from = stretch.to;
    return stretch;
  });
}

/** The least probability that exploration leaves to each of the eligible actions. */
export function floorOf(exploration: number | undefined, candidates: number): number | undefined {
  if (exploration === undefined || candidates === 0) return undefined;
  return exploration / candidates;
}
