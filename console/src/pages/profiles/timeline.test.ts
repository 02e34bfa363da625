import { describe, expect, it } from 'vitest';
import type { DecisionRow, ProfileEvent } from '../../api/types';
import { eventName, timeline } from './timeline';

const event = (messageId: string, timestamp: string): ProfileEvent => ({ messageId, timestamp, receivedAt: timestamp, type: 'track', event: 'Order Completed' });
const decision = (decisionId: string, decidedAt: string): DecisionRow => ({
  decisionId,
  decidedAt,
  decision: 'home-hero',
  profileId: 'p1',
  group: 'treated',
  eligible: true,
  action: 'none',
  offer: '',
  channel: '',
  creative: '',
  propensity: 0.5,
  fallback: false,
  policy: 'uniform',
  experiments: [],
});

const profile = {
  events: [event('m1', '2026-11-22T12:00:00Z'), event('m2', '2026-11-22T12:00:02Z')],
  decisions: [decision('d1', '2026-11-22T15:00:01+03:00')],
};

describe('timeline', () => {
  it('merges by time, newest first, whatever the zone', () => {
    expect(timeline(profile, 'all').map((entry) => entry.key)).toEqual(['event m2', 'decision d1', 'event m1']);
  });
  it('puts what followed a decision after it, even by a slow clock', () => {
    const early = { ...event('m3', '2026-11-22T11:59:59Z'), decisionId: 'd1' };
    const keys = timeline({ events: [early], decisions: profile.decisions }, 'all').map((entry) => entry.key);
    expect(keys).toEqual(['event m3', 'decision d1']);
  });
  it('shows a part', () => {
    expect(timeline(profile, 'events')).toHaveLength(2);
    expect(timeline(profile, 'decisions')).toHaveLength(1);
  });
  it('is empty for a new person', () => expect(timeline({ events: [], decisions: [] }, 'all')).toEqual([]));
});

describe('eventName', () => {
  it.each([
    [{ type: 'track', event: 'Order Completed' }, 'Order Completed'],
    [{ type: 'identify', event: '$identify' }, 'identify'],
    [{ type: 'page', event: '' }, 'page'],
  ])('of %o is %s', (call, name) => expect(eventName({ ...event('m', ''), ...call })).toBe(name));
});
