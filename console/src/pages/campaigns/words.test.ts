import { describe, expect, it } from 'vitest';
import { audienceWords, byDay, keyFrom, scheduleWords } from './words';

describe('words about campaigns', () => {
  it('says when', () => {
    expect(scheduleWords({ kind: 'once' })).toBe('once, when started');
    expect(scheduleWords({ kind: 'daily', time: '09:00', zone: 'UTC' })).toBe('every day at 09:00 UTC');
    expect(scheduleWords({ kind: 'weekly', time: '10:30', zone: 'Europe/Berlin', weekdays: [1, 5] })).toBe('every Monday, Friday at 10:30 (Europe/Berlin)');
    expect(scheduleWords({ kind: 'monthly', time: '10:30', day: 31 })).toBe('on day 31 of each month at 10:30 UTC');
  });
  it('says whom', () => {
    expect(audienceWords({ everybody: true })).toBe('everybody');
    expect(audienceWords({ segment: 'vip', without: 'lost', condition: {} })).toBe('in vip, not in lost, by a condition');
  });
  it('suggests keys', () => {
    expect(keyFrom('Spring: 20 % off!')).toBe('spring-20-off');
  });
  it('groups by day', () => {
    const groups = byDay([{ at: '2026-11-23T09:00:00Z' }, { at: '2026-11-23T09:30:00Z' }, { at: '2026-11-25T09:00:00Z' }]);
    expect(groups.map(([, items]) => items.length)).toEqual([2, 1]);
  });
});
