import { describe, expect, it } from 'vitest';
import type { RfmCode, RfmCuts } from '../../api/types';
import { codesBySegment, gridRows, heat, scoreMeaning } from './rfm';

function code(text: string, people: number, spend: number, segment = 'other'): RfmCode {
  const [recency = 0, frequency = 0, monetary = 0] = [...text].map(Number);
  return { code: text, recency, frequency, monetary, segment, people, spend };
}

const codes = [code('555', 3, 900, 'champions'), code('554', 2, 400, 'champions'), code('111', 7, 70, 'hibernating'), code('513', 1, 20)];

describe('gridRows', () => {
  it('has the best recency first and frequency rising', () => {
    const rows = gridRows(codes, null);
    expect(rows).toHaveLength(5);
    expect(rows[0]?.map((cell) => [cell.recency, cell.frequency, cell.people, cell.spend])).toEqual([
      [5, 1, 1, 20],
      [5, 2, 0, 0],
      [5, 3, 0, 0],
      [5, 4, 0, 0],
      [5, 5, 5, 1300],
    ]);
    expect(rows[4]?.[0]).toMatchObject({ recency: 1, frequency: 1, people: 7, spend: 70 });
  });

  it('keeps one spend score only', () => {
    const people = (monetary: number | null) => gridRows(codes, monetary).flat().reduce((sum, cell) => sum + cell.people, 0);
    expect([1, 2, 3, 4, 5].map(people)).toEqual([7, 0, 1, 2, 3]);
    expect(people(null)).toBe(13);
  });
});

describe('heat', () => {
  it.each([
    [0, 10, 0],
    [10, 10, 1],
    [2.5, 10, 0.5],
    [3, 0, 0],
    [-4, 10, 0],
  ])('%d of %d is %d', (value, most, share) => {
    expect(heat(value, most)).toBe(share);
  });
});

describe('scoreMeaning', () => {
  const quantiles: RfmCuts = { days: [487, 107, 61, 33], orders: [1, 1, 2, 4], spend: [14.96, 26.16, 39.51, 69.91], reached: false };
  const fixedBounds: RfmCuts = { days: [365, 180, 90, 30], orders: [2, 3, 5, 10], spend: [50, 100, 200, 500], reached: true };
  it.each<[RfmCuts, 'days' | 'orders' | 'spend', number, string]>([
    [quantiles, 'days', 1, 'from 487 days'],
    [quantiles, 'days', 2, 'less than 487, from 107 days'],
    [quantiles, 'days', 5, 'less than 33 days'],
    [quantiles, 'orders', 1, 'up to 1'],
    [quantiles, 'orders', 2, 'nobody'],
    [quantiles, 'orders', 3, 'more than 1, up to 2'],
    [quantiles, 'spend', 5, 'more than 69.91'],
    [fixedBounds, 'days', 5, 'at most 30 days'],
    [fixedBounds, 'days', 1, 'more than 365 days'],
    [fixedBounds, 'orders', 4, 'from 5, below 10'],
    [fixedBounds, 'spend', 1, 'below 50'],
  ])('%o %s %i is %s', (cuts, kind, score, words) => {
    expect(scoreMeaning(kind, cuts, score)).toBe(words);
  });

  it('says nothing without customers', () => {
    expect(scoreMeaning('days', { days: [], orders: [], spend: [], reached: false }, 3)).toBe('');
  });
});

describe('codesBySegment', () => {
  it('has the best code first', () => {
    expect(codesBySegment(codes).get('champions')?.map((each) => each.code)).toEqual(['555', '554']);
    expect([...codesBySegment(codes).keys()]).toEqual(['champions', 'hibernating', 'other']);
  });
});
