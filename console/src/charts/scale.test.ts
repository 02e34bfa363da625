import { describe, expect, it } from 'vitest';
import { intervalScale, niceStep, verdict } from './scale';

const mens = { estimate: 0.07659, lower: 0.06995, upper: 0.08322 };
const womens = { estimate: 0.04523, lower: 0.03889, upper: 0.05157 };

describe('niceStep', () => {
  it.each([
    [1, 5, 0.2],
    [10, 4, 5],
    [0.09, 6, 0.02],
    [100, 6, 20],
    [0.6, 6, 0.1],
    [0, 4, 1],
    [Number.NaN, 4, 1],
  ])('a span of %s in %i steps goes by %s', (span, steps, step) => {
    expect(niceStep(span, steps)).toBeCloseTo(step, 12);
  });
});

describe('intervalScale', () => {
  it('holds zero and every bound, with room at both ends', () => {
    const scale = intervalScale([mens, womens]);
    expect(scale.from).toBeLessThan(0);
    expect(scale.to).toBeGreaterThan(mens.upper);
    expect(scale.position(0)).toBeGreaterThan(0);
    expect(scale.position(mens.upper)).toBeLessThan(100);
  });

  it('has zero among its ticks, and ticks within the axis', () => {
    for (const intervals of [[mens], [{ estimate: -3, lower: -5, upper: -1 }], [{ estimate: 900, lower: 2, upper: 1e4 }]]) {
      const scale = intervalScale(intervals);
      expect(scale.ticks).toContain(0);
      expect(scale.ticks.length).toBeGreaterThanOrEqual(3);
      expect(scale.ticks.length).toBeLessThanOrEqual(7);
      for (const tick of scale.ticks) {
        expect(tick).toBeGreaterThanOrEqual(scale.from);
        expect(tick).toBeLessThanOrEqual(scale.to);
      }
    }
  });

  it('is linear and ordered', () => {
    const { position, from, to } = intervalScale([mens, womens]);
    expect(position((from + to) / 2)).toBeCloseTo(50, 9);
    expect(position(womens.lower)).toBeLessThan(position(womens.upper));
    expect(position(to + 1)).toBe(100);
    expect(position(from - 1)).toBe(0);
  });

  it('does not let one wide interval squeeze the others', () => {
    const wide = { estimate: 0.1, lower: -8, upper: 8.2 };
    const { from, to, position } = intervalScale([mens, womens, mens, wide]);
    expect(to - from).toBeLessThan(1);
    expect(position(wide.lower)).toBe(0);
    expect(position(wide.upper)).toBe(100);
    expect(to).toBeGreaterThan(wide.estimate);
  });

  it('survives no intervals and bounds that are not numbers', () => {
    expect(intervalScale([]).position(0)).toBe(50);
    const scale = intervalScale([{ estimate: 2, lower: Number.NEGATIVE_INFINITY, upper: Number.NaN }]);
    expect(Number.isFinite(scale.from)).toBe(true);
    expect(scale.to).toBeGreaterThan(2);
  });
});

describe('verdict', () => {
  it.each([
    [mens, 'increase', 'better'],
    [mens, 'decrease', 'worse'],
    [mens, undefined, 'better'],
    [{ estimate: -1, lower: -2, upper: -0.1 }, 'increase', 'worse'],
    [{ estimate: -1, lower: -2, upper: -0.1 }, 'decrease', 'better'],
    [{ estimate: 1, lower: -0.1, upper: 2 }, 'increase', 'unclear'],
    [{ estimate: 1, lower: 0, upper: 2 }, 'increase', 'unclear'],
    [{ estimate: 1, lower: Number.NaN, upper: 2 }, 'increase', 'unclear'],
  ])('%o with direction %s is %s', (interval, direction, is) => expect(verdict(interval, direction)).toBe(is));
});
