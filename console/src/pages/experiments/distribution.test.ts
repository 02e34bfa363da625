import { expect, test } from 'vitest';
import { boxOf, extent, place, quantile } from './distribution';

const spread = {
  variant: 'control',
  people: 10,
  share: 0.1,
  quantiles: [
    { level: 0.1, value: -2 },
    { level: 0.25, value: 1 },
    { level: 0.5, value: 3 },
    { level: 0.75, value: 5 },
    { level: 0.9, value: 8 },
    { level: 0.99 },
  ],
};

test('a level without a value is not known', () => {
  expect(quantile(spread, 0.5)).toBe(3);
  expect(quantile(spread, 0.99)).toBeUndefined();
  expect(quantile(spread, 0.33)).toBeUndefined();
});

test('a box needs all five', () => {
  expect(boxOf(spread)).toEqual({ low: -2, lower: 1, middle: 3, upper: 5, high: 8 });
  expect(boxOf({ ...spread, quantiles: spread.quantiles.slice(1) })).toBeUndefined();
});

test('zero is within the extent', () => {
  expect(extent([boxOf(spread), undefined])).toEqual([-2, 8]);
  expect(extent([{ low: 4, lower: 5, middle: 6, upper: 7, high: 8 }])).toEqual([0, 8]);
  expect(extent([])).toEqual([0, 0]);
});

test('places are per cent of the extent', () => {
  expect(place(3, [-2, 8])).toBe(50);
  expect(place(3, [0, 0])).toBe(0);
});
