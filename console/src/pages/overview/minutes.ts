import type { MinuteCount } from '../../api/types';

const minuteMs = 60_000;

/** Decisions of the last minute that is over; the running one would read as a fall. */
export function lastWholeMinute(minutes: readonly MinuteCount[], now: number): number {
  const last = (Math.floor(now / minuteMs) - 1) * minuteMs;
  // A minute without decisions is not in the list.
  return minutes.find((minute) => Date.parse(minute.minute) === last)?.total ?? 0;
}

const longestWindow = 60;
const shortestWindow = 15;

/** How many minutes to draw: the last hour, less while there is less to show. */
export function minuteWindow(minutes: readonly MinuteCount[], now: number): number {
  const first = minutes[0];
  if (first === undefined) return longestWindow;
  const age = Math.ceil((now - Date.parse(first.minute)) / minuteMs);
  return Math.min(longestWindow, Math.max(shortestWindow, age));
}

/** One entry for each minute of the window, zero where nothing was decided. */
export function filledMinutes(minutes: readonly MinuteCount[], now: number, window: number): MinuteCount[] {
  const current = Math.floor(now / minuteMs) * minuteMs;
  const byMinute = new Map(minutes.map((minute) => [Math.floor(Date.parse(minute.minute) / minuteMs) * minuteMs, minute]));
  return Array.from({ length: window }, (_, index) => {
    const at = current - (window - 1 - index) * minuteMs;
    return byMinute.get(at) ?? { minute: new Date(at).toISOString(), total: 0, treated: 0, control: 0, holdout: 0 };
  });
}
