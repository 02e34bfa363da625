import { expect, it } from 'vitest';
import type { MetricBody } from '../../api/types';
import { emptyMetric, metricOf, missingIn, textOf } from './form';

const metrics: readonly MetricBody[] = [
  { kind: 'proportion', name: 'Ordering', event: 'Order Completed', windowHours: 336, direction: 'increase' },
  {
    kind: 'revenue',
    name: 'Revenue',
    description: 'All of it',
    owner: 'Anna',
    event: 'Order Completed',
    property: 'revenue',
    filter: [
      { property: 'currency', operator: 'in', value: ['EUR', 'USD'] },
      { property: 'total', operator: 'gte', value: 10 },
      { property: 'gift', operator: 'missing' },
      { property: 'code', operator: 'startsWith', value: '12' },
    ],
    windowHours: 48,
    windowFromHours: 2,
    direction: 'increase',
    margin: 0.02,
    cap: { quantile: 0.99, ignoreZeros: true },
    pastDays: 30,
  },
  { kind: 'ratio', name: 'Average order', event: 'Order Completed', property: 'revenue', denominator: 'event:Order Completed', denominatorProperty: 'items', windowHours: 336, direction: 'increase', cap: { value: 500 }, subtractContactCost: true },
  { kind: 'quantile', name: 'Slow pages', event: 'Page', property: 'ms', quantile: { level: 0.95, of: 'events' }, windowHours: 24, direction: 'decrease' },
  { kind: 'retention', name: 'Back', event: 'Visit', fromDays: 7, toDays: 14, direction: 'increase' },
  { kind: 'funnel', name: 'Checkout', steps: [{ event: 'Cart', filter: [{ property: 'a', operator: 'exists' }] }, { event: 'Order' }], windowHours: 336, direction: 'increase' },
  { kind: 'time-to-event', name: 'First order', event: 'Order', windowHours: 168, direction: 'decrease' },
];

it.each(metrics.map((metric) => [metric.kind, metric] as const))('a %s comes back from its form as it went in', (_, metric) => {
  expect(metricOf(textOf(metric))).toEqual(metric);
  expect(missingIn(textOf(metric))).toEqual([]);
});

it('what belongs to another kind is left out', () => {
  const [proportion] = metrics;
  const changed = metricOf({ ...textOf(metrics[1] ?? proportion ?? { kind: 'mean' }), kind: 'proportion' });
  expect(changed).not.toHaveProperty('property');
  expect(changed).not.toHaveProperty('cap');
});

it.each([
  [{ ...emptyMetric }, 2],
  [{ ...emptyMetric, name: 'a', kind: 'funnel' as const, steps: 'one' }, 1],
  [{ ...emptyMetric, name: 'a', event: 'e', kind: 'retention' as const, fromDays: 7, toDays: 7 }, 1],
  [{ ...emptyMetric, name: 'a', event: 'e', kind: 'ratio' as const, denominator: 'event:' }, 1],
  [{ ...emptyMetric, name: 'a', event: 'e' }, 0],
])('%#: %i things are missing', (text, count) => expect(missingIn(text)).toHaveLength(count));
