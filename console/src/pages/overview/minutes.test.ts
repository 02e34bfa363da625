import { describe, expect, it } from 'vitest';
import { filledMinutes, lastWholeMinute, minuteWindow } from './minutes';

const at = (minute: string, total: number) => ({ minute, total, treated: total, control: 0, holdout: 0 });
const minutes = [at('2026-11-22T12:00:00Z', 5), at('2026-11-22T12:02:00Z', 7), at('2026-11-22T12:03:00Z', 1)];
const now = Date.parse('2026-11-22T12:03:20Z');

describe('lastWholeMinute', () => {
  it('leaves out the minute that is running', () => expect(lastWholeMinute(minutes, now)).toBe(7));
  it('is zero when nothing was decided in it', () => {
    expect(lastWholeMinute(minutes, now + 5 * 60_000)).toBe(0);
    expect(lastWholeMinute([], now)).toBe(0);
  });
});

describe('minuteWindow', () => {
  const minute = 60_000;
  it.each([
    [4 * minute, 15],
    [31.5 * minute, 32],
    [59.9 * minute, 60],
    [600 * minute, 60],
  ])('%i ms after the first minute it is %i minutes long', (later, window) => {
    expect(minuteWindow(minutes, Date.parse('2026-11-22T12:00:00Z') + later)).toBe(window);
  });
  it('is the hour without any', () => expect(minuteWindow([], now)).toBe(60));
});

describe('filledMinutes', () => {
  it('has zero where nothing was decided', () => {
    expect(filledMinutes(minutes, now, 5).map((minute) => minute.total)).toEqual([0, 5, 0, 7, 1]);
  });
  it('leaves out what is older than the window', () => {
    expect(filledMinutes(minutes, now, 2).map((minute) => minute.total)).toEqual([7, 1]);
  });
});
