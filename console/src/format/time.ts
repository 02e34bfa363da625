// Moments and durations as people read them. Times of day are shown in the
// reader's own time zone; the exact moment stands in the element's title.

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const minuteClock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const dayYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

/** Whether a moment is one: services leave some of them empty. */
export function isMoment(at: string | undefined | null): at is string {
  return at !== undefined && at !== null && at !== '' && !at.startsWith('0001-') && !Number.isNaN(Date.parse(at));
}

/** 14:03:21 */
export function timeOfDay(at: string): string {
  return clock.format(new Date(at));
}

/** 14:03 */
export function hourMinute(at: string): string {
  return minuteClock.format(new Date(at));
}

/** 22 Nov 14:03, with the year when it is not this one. */
export function dayAndTime(at: string, now: Date = new Date()): string {
  const moment = new Date(at);
  const date = moment.getFullYear() === now.getFullYear() ? day.format(moment) : dayYear.format(moment);
  return `${date} ${minuteClock.format(moment)}`;
}

/** 22 Nov 14:03:21, for records that come many a minute. */
export function dayAndSecond(at: string): string {
  const moment = new Date(at);
  return `${day.format(moment)} ${clock.format(moment)}`;
}

/** 22 Nov 2026 */
export function dayOf(at: string): string {
  return dayYear.format(new Date(at));
}

/** The exact moment in UTC: 2026-11-22 14:03:21.123 UTC. */
export function exact(at: string): string {
  return `${new Date(at).toISOString().replace('T', ' ').replace('Z', '')} UTC`;
}

/** How long ago: just now, 12 s ago, 4 min ago, 3 h ago, 5 days ago. */
export function ago(at: string, now: number = Date.now()): string {
  const seconds = (now - Date.parse(at)) / 1000;
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 2) return 'just now';
  return `${duration(seconds)} ago`;
}

/** A duration with its unit, in whole steps of the largest that fits. */
export function duration(seconds: number): string {
  if (seconds < 0.001) return '0 ms';
  if (seconds < 1) return `${Math.round(seconds * 1000).toString()} ms`;
  if (seconds < 60) return `${Math.floor(seconds).toString()} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60).toString()} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600).toString()} h`;
  return `${Math.floor(seconds / 86400).toString()} days`;
}

/** A window in hours, as days where it is whole days: 14 days, 36 hours. */
export function windowOf(hours: number): string {
  if (hours >= 48 && hours % 24 === 0) return `${(hours / 24).toString()} days`;
  return hours === 1 ? '1 hour' : `${hours.toString()} hours`;
}
