import type { LifecycleRule, RfmTable } from '../../api/types';
import { fixed, noFigure } from '../../format/number';

export type Condition = NonNullable<LifecycleRule['any']>[number]['all'][number];

// Facts that are 1 or 0 read as what is or is not the case.
const states: Readonly<Record<string, readonly [string, string]>> = {
  registered: ['is registered', 'is not registered'],
  openView: ['looked at a product since the last order', 'looked at no product since the last order'],
  openCart: ['filled a cart since the last order', 'filled no cart since the last order'],
  openCheckout: ['began a checkout since the last order', 'began no checkout since the last order'],
};

const names: Readonly<Record<string, string>> = {
  events: 'events',
  sessions: 'visits',
  views: 'products looked at',
  carts: 'products put into a cart',
  checkouts: 'checkouts begun',
  orders: 'orders',
  spend: 'spend',
  margin: 'margin',
  averageOrder: 'average order',
  discountShare: 'share of orders with a discount',
  peakShare: 'share of orders in the strongest quarter of the year',
  orderGapDays: 'mean days between orders',
  daysSinceFirstSeen: 'days since first seen',
  daysSinceLastSeen: 'days since last seen',
  daysSinceFirstOrder: 'days since the first order',
  daysSinceLastOrder: 'days since the last order',
  daysSinceLastView: 'days since a product was looked at',
  daysSinceLastCart: 'days since a cart was filled',
  daysSinceLastCheckout: 'days since a checkout was begun',
  spendQuantile: 'share of customers who spent less',
  recency: 'recency score',
  frequency: 'frequency score',
  monetary: 'spend score',
};

const shares: ReadonlySet<string> = new Set(['discountShare', 'peakShare', 'spendQuantile']);

/** daysSinceLastOrder as a name: known facts have one, others are taken apart. */
export function factName(fact: string): string {
  return names[fact] ?? fact.replace(/([A-Z])/g, ' $1').toLowerCase();
}

function figure(fact: string, value: number): string {
  if (!Number.isFinite(value)) return noFigure;
  if (shares.has(fact)) return `${fixed(value * 100, Number.isInteger(Math.round(value * 1e6) / 1e4) ? 0 : 1)}%`;
  return fixed(value, Number.isInteger(value) ? 0 : 2);
}

/** One condition as people say it: "orders: 4 or more". */
export function conditionWords({ fact, is, value }: Condition): string {
  const state = states[fact];
  if (state !== undefined && (value === 0 || value === 1) && (is === '=' || is === '!=')) {
    return state[(value === 1) === (is === '=') ? 0 : 1];
  }
  const written = figure(fact, value);
  const compared: Readonly<Record<Condition['is'], string>> = {
    '=': `exactly ${written}`,
    '!=': `not ${written}`,
    '<': `less than ${written}`,
    '<=': `${written} or less`,
    '>': `more than ${written}`,
    '>=': `${written} or more`,
  };
  return `${factName(fact)}: ${compared[is]}`;
}

/** The groups of a rule, of which one must hold, each with the conditions that must all hold. */
export function ruleWords(rule: LifecycleRule): readonly (readonly string[])[] {
  return (rule.any ?? []).map((group) => group.all.map(conditionWords));
}

/** The boxes of RFM as rules over the three scores; bounds that let every score in say nothing. */
export function rfmRules(table: RfmTable | undefined): readonly LifecycleRule[] {
  if (table === undefined) return [];
  const boxes = (table.segments ?? []).map(({ key, name, recency, frequency, monetary }): LifecycleRule => {
    const all = Object.entries({ recency, frequency, monetary }).flatMap(([fact, { min, max }]): Condition[] => {
      if (min === max) return [{ fact, is: '=', value: min }];
      return [...(min > 1 ? [{ fact, is: '>=' as const, value: min }] : []), ...(max < 5 ? [{ fact, is: '<=' as const, value: max }] : [])];
    });
    return { key, ...(name === undefined ? {} : { name }), ...(all.length === 0 ? {} : { any: [{ all }] }) };
  });
  return [...boxes, { key: table.other ?? 'other', name: 'Other', description: 'The codes that no box holds.' }];
}
