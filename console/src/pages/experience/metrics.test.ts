import { describe, expect, it } from 'vitest';
import type { ExperienceRow } from '../../api/types';
import { byCurrency, defaultRange, intervalWords, isDay, latestRows, partsWords, periodWords, valueWords } from './metrics';

function row(from: string, rest: Partial<ExperienceRow> = {}): ExperienceRow {
  return { from, to: '', complete: true, n: 0, parts: {}, ...rest };
}

describe('words of a row', () => {
  const nps = row('2026-10-01', { value: 12.345, lower: -3, upper: 27.6, parts: { answers: 50, promoters: 20, passives: 16, detractors: 14, invalid: 2 } });
  it('have a sign where a score can be negative', () => {
    expect(valueWords('nps', nps)).toBe('+12.3');
    expect(intervalWords('nps', nps)).toBe('−3.0 to +27.6');
    expect(partsWords('nps', nps)).toBe('20 promoters, 16 passive, 14 detractors, 2 outside of their scale left out');
  });

  it.each([
    ['retention', { before: 781, returned: 124 }, '124 again of 781 customers of the period before'],
    ['churn', { activeAtStart: 2357, lost: 560 }, '560 of 2,357 active at the start'],
    ['average-order', { revenue: 28594, orders: 885, customers: 781 }, '28,594 by 885 orders of 781 customers'],
    ['acquisition-cost', { newCustomers: 1 }, 'no spend recorded by 1 new customer'],
    ['ces', { answers: 1, invalid: 0 }, '1 answer'],
  ] as const)('of %s', (metric, parts, words) => {
    expect(partsWords(metric, row('2026-10-01', { parts }))).toBe(words);
  });

  it('name the currency', () => {
    expect(valueWords('acquisition-cost', row('2026-10-01', { value: 12.5, currency: 'EUR' }))).toBe('12.50 EUR');
  });

  it('say what is not there', () => {
    expect(valueWords('csat', row('2026-10-01'))).toBe('–');
    expect(intervalWords('csat', row('2026-10-01'))).toBe('–');
    expect(intervalWords('acquisition-cost', row('2026-10-01', { lower: 3 }))).toBe('from 3.00');
  });
});

describe('latestRows', () => {
  it('leaves out what has not ended or has no figure', () => {
    const rows = [row('2026-09-01', { value: 1 }), row('2026-10-01'), row('2026-11-01', { value: 3, complete: false })];
    expect(latestRows(rows).map((each) => each.from)).toEqual(['2026-09-01']);
    expect(latestRows([])).toEqual([]);
  });

  it('has all currencies of the period', () => {
    const rows = [row('2026-10-01', { value: 1, currency: 'EUR' }), row('2026-10-01', { value: 2, currency: 'USD' })];
    expect(latestRows(rows)).toHaveLength(2);
  });
});

describe('byCurrency', () => {
  it('has one list without currencies', () => {
    expect([...byCurrency([row('a'), row('b')]).entries()].map(([key, rows]) => [key, rows.length])).toEqual([['', 2]]);
  });

  it('leaves periods without spend to be gaps', () => {
    expect([...byCurrency([row('a'), row('b', { currency: 'EUR' }), row('b', { currency: 'USD' })]).keys()]).toEqual(['EUR', 'USD']);
  });
});

describe('periods', () => {
  it.each([
    ['month', 'Nov 2026'],
    ['week', 'week of 2 Nov 2026'],
    ['day', '2 Nov 2026'],
  ])('%s', (period, words) => {
    expect(periodWords('2026-11-02', period)).toBe(words);
  });

  it('reach back as far as shows a course', () => {
    expect(defaultRange('month', new Date('2026-11-23T01:00:00Z'))).toEqual({ from: '2025-11-24', to: '2026-11-23' });
    expect(defaultRange('day', new Date('2026-03-01T01:00:00Z'))).toEqual({ from: '2026-01-01', to: '2026-03-01' });
  });

  it.each([
    ['2026-02-28', true],
    ['2026-13-01', false],
    ['2026-1-1', false],
    ['', false],
  ])('%j is a day: %s', (text, is) => {
    expect(isDay(text)).toBe(is);
  });
});
