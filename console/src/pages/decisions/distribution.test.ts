import { describe, expect, it } from 'vitest';
import { cumulative, explorationOf, floorOf } from './distribution';

describe('cumulative', () => {
  it('lays the actions end to end in their order', () => {
    const stretches = cumulative([
      { action: 'none', probability: 0.25 },
      { action: 'a', probability: 0.5 },
      { action: 'b', probability: 0.25 },
    ]);
    expect(stretches).toEqual([
      { action: 'none', from: 0, to: 0.25 },
      { action: 'a', from: 0.25, to: 0.75 },
      { action: 'b', from: 0.75, to: 1 },
    ]);
  });
  it('is empty without candidates', () => expect(cumulative([])).toEqual([]));
});

describe('explorationOf', () => {
  it.each([
    [{ exploration: 0.1 }, undefined, 0.1],
    [{ exploration: 0.1 }, { type: 'bandit' }, 0.1],
    [{ exploration: 0.1 }, { type: 'bandit', exploration: 0.2 }, 0.2],
    [{ type: 'uniform' }, { type: 'bandit' }, 0.05],
  ])('of %o under %o is %s', (point, variant, exploration) => expect(explorationOf(point, variant)).toBe(exploration));
});

describe('floorOf', () => {
  it('spreads the exploration evenly', () => expect(floorOf(0.05, 10)).toBeCloseTo(0.005, 12));
  it('is unknown without exploration or candidates', () => {
    expect(floorOf(undefined, 10)).toBeUndefined();
    expect(floorOf(0.05, 0)).toBeUndefined();
  });
});
