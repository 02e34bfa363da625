import { describe, expect, it } from 'vitest';
import { beliefGroups } from './beliefs';

const belief = (mean: number) => ({ decisions: 10, mean, sd: 1, lower: mean - 2, upper: mean + 2 });

describe('beliefGroups', () => {
  it('puts the best first and leaves out factors with one value', () => {
    const groups = beliefGroups({
      actions: [
        { action: 'a/x/default', ...belief(1) },
        { action: 'b/x/default', ...belief(3) },
      ],
      factors: [
        { factor: 'offer', level: 'a', actions: 1, ...belief(1) },
        { factor: 'offer', level: 'b', actions: 1, ...belief(3) },
        { factor: 'channel', level: 'x', actions: 2, ...belief(2) },
      ],
    });
    expect(groups.map(({ name, rows }) => [name, rows.map((row) => row.label)])).toEqual([
      ['Action', ['b/x/default', 'a/x/default']],
      ['Offer', ['b', 'a']],
    ]);
    expect(groups[1]?.rows[0]).toEqual({ label: 'b', decisions: 10, mean: 3, lower: 1, upper: 5 });
  });

  it('shows at most twelve', () => {
    const actions = Array.from({ length: 30 }, (_, index) => ({ action: index.toString(), ...belief(index) }));
    const [first] = beliefGroups({ actions, factors: [] });
    expect(first?.rows).toHaveLength(12);
    expect(first?.rows[0]?.label).toBe('29');
  });
});
