import { describe, expect, it } from 'vitest';
import { conditionWords, factName, rfmRules, ruleWords, type Condition } from './words';

describe('conditionWords', () => {
  it.each<[Condition, string]>([
    [{ fact: 'orders', is: '>=', value: 4 }, 'orders: 4 or more'],
    [{ fact: 'daysSinceLastOrder', is: '>', value: 90 }, 'days since the last order: more than 90'],
    [{ fact: 'daysSinceLastView', is: '<=', value: 30 }, 'days since a product was looked at: 30 or less'],
    [{ fact: 'spendQuantile', is: '>=', value: 0.8 }, 'share of customers who spent less: 80% or more'],
    [{ fact: 'peakShare', is: '<', value: 0.125 }, 'share of orders in the strongest quarter of the year: less than 12.5%'],
    [{ fact: 'registered', is: '=', value: 1 }, 'is registered'],
    [{ fact: 'registered', is: '!=', value: 1 }, 'is not registered'],
    [{ fact: 'openCart', is: '=', value: 0 }, 'filled no cart since the last order'],
    [{ fact: 'openCart', is: '!=', value: 0 }, 'filled a cart since the last order'],
    [{ fact: 'averageOrder', is: '<', value: 12.5 }, 'average order: less than 12.50'],
    [{ fact: 'spend', is: '!=', value: 0 }, 'spend: not 0'],
    // A comparison other than equality of a state has no words of its own.
    [{ fact: 'registered', is: '>=', value: 1 }, 'registered: 1 or more'],
  ])('%j', (condition, words) => {
    expect(conditionWords(condition)).toBe(words);
  });

  it('takes apart the name of a fact that it does not know', () => {
    expect(factName('daysSinceNewThing')).toBe('days since new thing');
  });
});

describe('ruleWords', () => {
  it('keeps groups apart', () => {
    const rule = {
      key: 'activate',
      any: [
        { all: [{ fact: 'registered', is: '=' as const, value: 1 }] },
        { all: [{ fact: 'views', is: '>=' as const, value: 1 }, { fact: 'orders', is: '=' as const, value: 0 }] },
      ],
    };
    expect(ruleWords(rule)).toEqual([['is registered'], ['products looked at: 1 or more', 'orders: exactly 0']]);
  });

  it('has no groups for everybody', () => {
    expect(ruleWords({ key: 'acquire' })).toEqual([]);
    expect(ruleWords({ key: 'acquire', any: null })).toEqual([]);
  });
});

describe('rfmRules', () => {
  it('makes conditions of the bounds that shut scores out', () => {
    const rules = rfmRules({
      segments: [
        { key: 'champions', name: 'Champions', recency: { min: 4, max: 5 }, frequency: { min: 2, max: 3 }, monetary: { min: 1, max: 1 } },
        { key: 'all', recency: { min: 1, max: 5 }, frequency: { min: 1, max: 5 }, monetary: { min: 1, max: 5 } },
      ],
      other: 'rest',
    });
    expect(rules.map((rule) => [rule.key, ruleWords(rule)])).toEqual([
      ['champions', [['recency score: 4 or more', 'frequency score: 2 or more', 'frequency score: 3 or less', 'spend score: exactly 1']]],
      ['all', []],
      ['rest', []],
    ]);
  });
});
