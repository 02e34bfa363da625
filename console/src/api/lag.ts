import type { Overview } from './types';

/** Seconds of lag above which the pipeline counts as late. */
export const lateSeconds = 30;

/** The largest lag among the consumers of the stream, in seconds. */
export function worstLag(lag: Overview['lag']): number {
  return Math.max(0, ...Object.values(lag).map((each) => each.seconds));
}
