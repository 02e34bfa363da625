import { describe, expect, it } from 'vitest';
import { ago, duration, exact, isMoment, windowOf } from './time';

describe('ago', () => {
  const now = Date.parse('2026-11-22T12:00:00Z');
  it.each([
    ['2026-11-22T11:59:59.500Z', 'just now'],
    ['2026-11-22T12:00:03Z', 'just now'],
    ['2026-11-22T11:59:48Z', '12 s ago'],
    ['2026-11-22T11:56:00Z', '4 min ago'],
    ['2026-11-22T09:00:00Z', '3 h ago'],
    ['2026-11-12T12:00:00Z', '10 days ago'],
    ['not a date', ''],
  ])('%s is %s', (at, text) => expect(ago(at, now)).toBe(text));
});

describe('duration', () => {
  it.each([
    [0, '0 ms'],
    [0.34, '340 ms'],
    [59.9, '59 s'],
    [60, '1 min'],
    [7200, '2 h'],
    [3 * 86400, '3 days'],
  ])('%s seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text));
});

describe('windowOf', () => {
  it.each([
    [336, '14 days'],
    [72, '3 days'],
    [36, '36 hours'],
    [24, '24 hours'],
    [1, '1 hour'],
    [0.5, '0.5 hours'],
  ])('%s hours are %s', (hours, text) => expect(windowOf(hours)).toBe(text));
});

describe('moments', () => {
  it('shows the exact moment in UTC', () => {
    expect(exact('2026-11-22T15:00:00.123+03:00')).toBe('2026-11-22 12:00:00.123 UTC');
  });
  it.each([
    ['2026-11-22T12:00:00Z', true],
    ['0001-01-01T00:00:00Z', false],
    ['', false],
    [undefined, false],
    ['soon', false],
  ])('%s is a moment: %s', (at, is) => expect(isMoment(at)).toBe(is));
});
