import { describe, expect, it } from 'vitest';
import { attributeOf, definitionWords, emptyAttribute, messageAt, textOf, unplaced, valueOf, type AttributeText } from './attributeForm';

describe('valueOf', () => {
  it.each([
    ['100', 100],
    [' 2.5 ', 2.5],
    ['true', true],
    ['false', false],
    ['"100"', '100'],
    ['web shop', 'web shop'],
    ['', ''],
    ['Infinity', 'Infinity'],
  ])('%j is %j', (text, value) => {
    expect(valueOf(text)).toBe(value);
  });
});

describe('attributeOf', () => {
  const full: AttributeText = {
    ...emptyAttribute,
    name: ' Large orders ',
    aggregate: 'sum',
    property: 'revenue',
    windowDays: '365',
    halfLifeDays: '30',
    where: [
      { property: 'revenue', is: '>=', value: '100' },
      { property: 'coupon', is: 'exists', value: 'left over' },
    ],
  };
  it('sends all fields of an aggregate', () => {
    expect(attributeOf(full)).toEqual({
      kind: 'aggregate',
      name: 'Large orders',
      event: 'Order Completed',
      aggregate: 'sum',
      property: 'revenue',
      windowDays: 365,
      halfLifeDays: 30,
      where: [
        { property: 'revenue', is: '>=', value: 100 },
        { property: 'coupon', is: 'exists' },
      ],
    });
  });

  it('leaves out what a counter of events does not have', () => {
    expect(attributeOf({ ...full, kind: 'counter', aggregate: 'count', where: [] })).toEqual({
      kind: 'counter',
      name: 'Large orders',
      event: 'Order Completed',
      aggregate: 'count',
      windowDays: 365,
    });
  });

  it('sends the text alone of SQL', () => {
    expect(attributeOf({ ...full, kind: 'sql', sql: 'SELECT 1' })).toEqual({ kind: 'sql', name: 'Large orders', sql: 'SELECT 1' });
  });
});

describe('textOf', () => {
  it.each([
    { key: 'a', kind: 'aggregate' as const, aggregate: 'avg' as const, property: 'revenue', event: 'E', windowDays: 30, halfLifeDays: 2.5 },
    { key: 'b', kind: 'counter' as const, aggregate: 'count' as const, event: 'E', name: 'B' },
    { key: 'c', kind: 'sql' as const, sql: 'SELECT 1', description: 'one' },
    {
      key: 'd',
      kind: 'aggregate' as const,
      aggregate: 'count' as const,
      event: 'E',
      where: [
        { property: 'n', is: '=' as const, value: 5 },
        { property: 's', is: '=' as const, value: '5' },
        { property: 't', is: '!=' as const, value: true },
        { property: 'u', is: 'contains' as const, value: 'web shop' },
        { property: 'v', is: 'exists' as const },
      ],
    },
  ])('comes back the same: $key', ({ key, ...attribute }) => {
    expect(attributeOf(textOf({ key, ...attribute }))).toEqual(attribute);
  });
});

describe('findings', () => {
  const findings = [
    { location: 'path.key', message: 'is the name of an attribute that is always computed' },
    { location: 'where[0].value', message: 'must be a number for >' },
    { location: 'halfLifeDays', message: 'must be left out' },
  ];
  it('go to their fields', () => {
    expect(messageAt(findings, 'key')).toContain('always computed');
    expect(messageAt(findings, 'where[0].value')).toBe('must be a number for >');
    expect(messageAt(findings, 'event')).toBe('');
  });

  it('are shown above when their field is not on the form', () => {
    const text = { ...emptyAttribute, kind: 'counter' as const };
    expect(unplaced(findings, text).map((each) => each.location)).toEqual(['where[0].value', 'halfLifeDays']);
    expect(unplaced(findings, { ...emptyAttribute, where: [{ property: 'a', is: '>', value: '' }] })).toEqual([]);
  });
});

describe('definitionWords', () => {
  it.each([
    [{ kind: 'counter' as const, event: 'Product Viewed', windowDays: 1 }, 'count of Product Viewed, last day'],
    [
      { kind: 'aggregate' as const, aggregate: 'sum' as const, property: 'revenue', event: 'Order Completed', halfLifeDays: 30 },
      'sum of revenue over Order Completed, half as much after 30 days',
    ],
    [
      { kind: 'aggregate' as const, event: 'A', where: [{ property: 'x', is: '>=' as const, value: 1 }, { property: 'y', is: 'exists' as const }] },
      'count of A where x >= 1 and y is there',
    ],
    [{ kind: 'sql' as const, sql: 'SELECT 1' }, 'SQL'],
  ])('%j', (attribute, words) => {
    expect(definitionWords(attribute)).toBe(words);
  });
});
