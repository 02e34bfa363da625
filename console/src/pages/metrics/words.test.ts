import { expect, it } from 'vitest';
import { metricWords } from './words';

it.each([
  [{ kind: 'proportion', event: 'Order Completed' }, 'Share of people with “Order Completed”, within 14 days after the first exposure.'],
  [{ kind: 'mean', event: 'Order Completed', property: 'revenue', windowHours: 24 }, 'Sum of revenue in “Order Completed”, per person, within 24 hours after the first exposure.'],
  [{ kind: 'ratio', event: 'Order Completed', property: 'revenue', denominator: 'event:Order Completed' }, 'Sum of revenue in “Order Completed” for each “Order Completed”, within 14 days after the first exposure.'],
  [{ kind: 'ratio', event: 'Offer Clicked' }, '“Offer Clicked” for each decision, within 14 days after the first exposure.'],
  [{ kind: 'quantile', event: 'Page', property: 'ms', quantile: { level: 0.95, of: 'events' } }, 'The 95th percentile of ms in “Page”, within 14 days after the first exposure.'],
  [{ kind: 'retention', event: 'Visit', fromDays: 7, toDays: 14 }, 'Share of people with “Visit” from day 7 to day 14 after the first exposure.'],
  [{ kind: 'funnel', steps: [{ event: 'View' }, { event: 'Buy' }] }, 'Share of people who did “View”, then “Buy”, within 14 days after the first exposure.'],
  [
    { kind: 'revenue', event: 'Order Completed', filter: [{ property: 'currency', operator: 'in', value: ['EUR', 'USD'] }], cap: { quantile: 0.99 } },
    'Money (revenue) of “Order Completed”, per person where currency is one of EUR, USD, within 14 days after the first exposure, cut at the 99th percentile.',
  ],
  [{ kind: 'count', event: 'Visit', windowFromHours: 24, windowHours: 72, cap: { value: 10 } }, '“Visit” per person, from 24 hours to 3 days after the first exposure, at most 10 a person.'],
])('%o reads as a sentence', (metric, words) => expect(metricWords(metric as never)).toBe(words));
