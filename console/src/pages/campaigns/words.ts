import type { Campaign } from '../../api/types';

const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** A schedule in words. */
export function scheduleWords(schedule: Campaign['schedule']): string {
  const at = `at ${schedule.time ?? ''}${schedule.zone === undefined || schedule.zone === 'UTC' ? ' UTC' : ` (${schedule.zone})`}`;
  switch (schedule.kind) {
    case 'once':
      return schedule.at === undefined ? 'once, when started' : 'once';
    case 'daily':
      return `every day ${at}`;
    case 'weekly':
      return `every ${(schedule.weekdays ?? []).map((day) => weekdays[day] ?? '?').join(', ')} ${at}`;
    case 'monthly':
      return `on day ${(schedule.day ?? 0).toString()} of each month ${at}`;
  }
}

/** An audience in words. */
export function audienceWords(audience: Campaign['audience']): string {
  const parts = [
    ...(audience.segment === undefined ? [] : [`in ${audience.segment}`]),
    ...(audience.without === undefined ? [] : [`not in ${audience.without}`]),
    ...(audience.condition === undefined ? [] : ['by a condition']),
  ];
  return parts.length === 0 ? 'everybody' : parts.join(', ');
}

/** What became of people, in words. */
export const outcomeWords: Readonly<Record<string, string>> = {
  waiting: 'waiting',
  queued: 'message queued',
  nobody: 'decided to send nothing',
  holdout: 'held out',
  ineligible: 'no action was open',
  'no-consent': 'no consent, or suppressed',
  duplicate: 'has a message already',
  gone: 'no longer there',
  failed: 'could not be decided',
};

/** The key that a name suggests. */
export function keyFrom(name: string): string {
  return name
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
}

/** Moments by their day in the reader's time zone, in order. */
export function byDay<T extends { readonly at: string }>(items: readonly T[]): readonly (readonly [string, readonly T[]])[] {
  const days = new Map<string, T[]>();
  for (const item of items) {
    const day = new Date(item.at).toDateString();
    days.set(day, [...(days.get(day) ?? []), item]);
  }
  return [...days];
}
