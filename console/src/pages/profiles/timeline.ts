import type { DecisionRow, Profile, ProfileEvent } from '../../api/types';

/** Something that a person did, or that was decided for them. */
export type Entry =
  | { readonly kind: 'event'; readonly at: string; readonly key: string; readonly event: ProfileEvent }
  | { readonly kind: 'decision'; readonly at: string; readonly key: string; readonly decision: DecisionRow };

/** What part of a timeline is shown. */
export type Part = 'all' | 'decisions' | 'events';

/** Events and decisions of a person in one line, newest first. */
export function timeline(profile: Pick<Profile, 'events' | 'decisions'>, part: Part): Entry[] {
  const entries: Entry[] = [];
  if (part !== 'decisions') {
    for (const event of profile.events ?? []) {
      entries.push({ kind: 'event', at: event.timestamp, key: `event ${event.messageId}`, event });
    }
  }
  if (part !== 'events') {
    for (const decision of profile.decisions ?? []) {
      entries.push({ kind: 'decision', at: decision.decidedAt, key: `decision ${decision.decisionId}`, decision });
    }
  }
  const decidedAt = new Map((profile.decisions ?? []).map((decision) => [decision.decisionId, Date.parse(decision.decidedAt)]));
  // Clocks differ: what followed a decision never stands before it.
  const place = (entry: Entry) => {
    const cause = entry.kind === 'event' ? decidedAt.get(entry.event.decisionId ?? '') : undefined;
    return Math.max(Date.parse(entry.at), cause ?? Number.NEGATIVE_INFINITY);
  };
  const rank = (entry: Entry) => (entry.kind === 'event' ? 0 : 1);
  return entries.sort((a, b) => place(b) - place(a) || rank(a) - rank(b) || a.key.localeCompare(b.key));
}

/** The name of an event: the one it was tracked by, or the call that it came with. */
export function eventName(event: ProfileEvent): string {
  return event.event.startsWith('$') || event.event === '' ? event.type : event.event;
}
