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

// What a bandit explores when neither its decision point nor its variant says.
const defaultExploration = 0.05;

/** The exploration of a bandit, where a variant's policy may stand over the decision point's. */
export function explorationOf(pointPolicy: unknown, variantPolicy: unknown): number {
  for (const policy of [variantPolicy, pointPolicy]) {
    if (typeof policy !== 'object' || policy === null) continue;
    const value = (policy as Record<string, unknown>)['exploration'];
    if (typeof value === 'number') return value;
  }
  return defaultExploration;
}

/** The least probability that exploration leaves to each of the eligible actions. */
export function floorOf(exploration: number | undefined, candidates: number): number | undefined {
  if (exploration === undefined || candidates === 0) return undefined;
  return exploration / candidates;
}
