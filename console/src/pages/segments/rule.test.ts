import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { defaultValues, eventNames, filledRule, groupedFilters } from './filters';
import { nodeOf, ruleOf, treeOf, type GroupNode } from './rule';
import { appended, findingsByNode, lacks, moved, pathsOf, replaced, wrapped } from './tree';
import { ruleWords } from './words';
import type { SegmentFilter } from '../../api/types';

const library = JSON.parse(
  readFileSync(new URL('../../../../profiles/segments/filters.json', import.meta.url), 'utf8'),
) as SegmentFilter[];

const rules: readonly (readonly [unknown, string])[] = [
  [{ trait: 'age', op: 'between', value: [25, 34] }, 'age is between 25 and 34'],
  [{ trait: 'address.city', op: 'in', value: ['Oslo', 'Bergen'], ignoreCase: true }, 'address.city is one of “Oslo” or “Bergen”'],
  [{ trait: 'vip', op: 'eq', value: true }, 'vip is yes'],
  [{ trait: 'phone', op: 'missing' }, 'phone is not known'],
  [{ attribute: 'orders', op: 'gte', value: 2 }, 'orders is at least 2'],
  [{ profile: 'createdAt', op: 'withinLast', value: '7d' }, 'first seen is within the last 7 days'],
  [{ profile: 'lastSeenAt', op: 'before', value: '2026-11-01' }, 'last seen is before 2026-11-01'],
  [{ identifier: 'email', op: 'endsWith', value: '@example.org' }, 'email ends with “@example.org”'],
  [{ identifier: 'email', op: 'exists' }, 'has an identifier email'],
  [{ consent: { purpose: 'marketing', channel: 'email' } }, 'consents to marketing over email'],
  [{ consent: { purpose: 'marketing', status: 'withdrawn' } }, 'withdrew about marketing'],
  [{ segment: 'spenders' }, 'is in the segment spenders'],
  [{ event: 'Order Completed' }, 'did “Order Completed”'],
  [{ event: 'Order Completed', did: false, window: { last: '1d' } }, 'did not do “Order Completed” in the last 1 day'],
  [
    { event: 'Order Completed', times: { atLeast: 2, atMost: 5 }, window: { from: '2026-01-01', to: '2026-02-01' } },
    'did “Order Completed” at least twice and at most 5 times from 2026-01-01 until 2026-02-01',
  ],
  [{ event: 'Order Completed', times: { exactly: 1 } }, 'did “Order Completed” exactly once'],
  [
    {
      event: 'Order Completed',
      where: [{ property: 'products[].sku', op: 'eq', value: 'A' }],
      aggregate: { function: 'sum', property: 'revenue', op: 'gte', value: 100 },
      window: { last: '90d' },
    },
    'sum revenue of “Order Completed” where products[].sku is “A” in the last 90 days is at least 100',
  ],
  [{ event: 'Order Completed', last: { op: 'olderThan', value: '8w' } }, 'the last “Order Completed” is longer ago than 8 weeks'],
  [
    { sequence: [{ event: 'A' }, { event: 'B', where: [{ property: 'x', op: 'gt', value: 1 }] }], within: '24h', window: { last: '2w' } },
    'did “A”, then “B” where x is more than 1, all within 24 hours in the last 2 weeks',
  ],
  [{ not: { segment: 'a' } }, 'not (is in the segment a)'],
  [
    { all: [{ segment: 'a' }, { any: [{ segment: 'b' }, { not: { any: [{ segment: 'c' }, { segment: 'd' }] } }] }] },
    'is in the segment a and (is in the segment b or not (is in the segment c or is in the segment d))',
  ],
];

describe('a rule', () => {
  it.each(rules)('%j comes back from the editor as it was', (rule) => {
    expect(ruleOf(nodeOf(rule))).toEqual(rule);
    expect(ruleOf(treeOf(rule))).toEqual('all' in (rule as object) || 'not' in (rule as object) ? rule : { all: [rule] });
  });
  it.each(rules)('%j has a form', (rule) => {
    expect(JSON.stringify(nodeOf(rule))).not.toContain('"raw"');
  });
  it.each(rules)('%j is said in words', (rule, words) => {
    expect(ruleWords(rule)).toBe(words);
  });
  it.each([
    { trait: 'age', op: 'eq', value: 1, surprise: true },
    { event: 'A', did: true, times: { exactly: 1 } },
    { event: 'A', window: { last: '1d', from: '2026-01-01' } },
    'text',
    { later: 1 },
  ])('%j, which has no form, is kept as it is', (rule) => {
    const node = nodeOf(rule);
    expect(node.kind).toBe('raw');
    expect(ruleOf(node)).toEqual(rule);
  });
  it('that is empty begins with an empty group', () => {
    expect(ruleOf(treeOf(undefined))).toEqual({ all: [] });
  });
});

describe('the library of the service', () => {
  it('has forms and words for each filter', () => {
    expect(library.length).toBeGreaterThanOrEqual(24);
    for (const filter of library) {
      const rule = filledRule(filter, defaultValues(filter));
      expect(JSON.stringify(rule)).not.toContain('"$');
      const tree = treeOf(rule);
      expect(JSON.stringify(tree), filter.key).not.toContain('"raw"');
      expect(ruleOf(nodeOf(rule)), filter.key).toEqual(normal(rule));
      expect(lacks(tree), filter.key).toEqual([]);
      expect(ruleWords(rule), filter.key).not.toContain('…');
    }
  });
  it('is searched by words', () => {
    const found = groupedFilters(library, 'mail domain').flatMap(([, filters]) => filters.map(({ key }) => key));
    expect(found).toContain('mail-domain');
    expect(groupedFilters(library, 'zzz')).toEqual([]);
  });
  it('names events', () => expect(eventNames(library)).toContain('Order Completed'));
});

// Two ways to say that a consent is given; the editor writes the shorter one.
function normal(rule: unknown): unknown {
  return JSON.parse(JSON.stringify(rule).replace(',"status":"granted"', '')) as unknown;
}

const nested = treeOf({ all: [{ segment: 'a' }, { not: { trait: 'b', op: 'eq', value: 1 } }, { any: [{ segment: 'c' }, { event: 'E', where: [{ property: 'p', op: 'eq', value: 1 }] }] }] });
const idOf = (path: string) => pathsOf(nested).get(path) ?? '';

describe('findings', () => {
  it.each([
    ['rule.all[0].segment', 'rule.all[0]', 'segment'],
    ['rule.all[1].not.op', 'rule.all[1].not', 'op'],
    ['rule.all[2].any[1].where[0].op', 'rule.all[2].any[1]', 'where[0].op'],
    ['rule.all[2].any[1]', 'rule.all[2].any[1]', ''],
    ['rule', 'rule', ''],
    ['name', 'rule', 'name'],
  ])('at %s belong to the node %s', (location, path, field) => {
    expect(findingsByNode(nested, [{ location, message: 'm' }])).toEqual([{ id: idOf(path), field, message: 'm' }]);
  });
  it('go into a group of none', () => {
    const tree = treeOf({ not: { any: [{ segment: 'a' }, { segment: 'b' }] } });
    expect(findingsByNode(tree, [{ location: 'rule.not.any[1].segment', message: 'm' }])[0]?.id).toBe(tree.nodes[1]?.id);
  });
});

describe('changes of the tree', () => {
  const first = nested.nodes[0]?.id ?? '';
  it('take a node out and leave the others', () => {
    const changed = replaced(nested, first, () => undefined);
    expect(changed.nodes).toEqual(nested.nodes.slice(1));
    expect(changed.nodes[0]).toBe(nested.nodes[1]);
  });
  it('add, move and wrap', () => {
    const inner = nested.nodes[2] as GroupNode;
    const added = appended(nested, inner.id, nodeOf({ segment: 'z' }));
    expect(ruleOf(added)).toMatchObject({ all: [{}, {}, { any: [{}, {}, { segment: 'z' }] }] });
    expect(ruleOf(moved(nested, first, 1))).toMatchObject({ all: [{ not: {} }, { segment: 'a' }, {}] });
    expect(ruleOf(moved(nested, first, -1))).toEqual(ruleOf(nested));
    expect(ruleOf(moved(nested, inner.nodes[0]?.id ?? '', 1))).toMatchObject({ all: [{}, {}, { any: [{ event: 'E' }, { segment: 'c' }] }] });
    expect(ruleOf(wrapped(nested, first, 'none'))).toMatchObject({ all: [{ not: { segment: 'a' } }, {}, {}] });
  });
});

describe('lacks', () => {
  it.each([
    [{ all: [] }, 'Add a condition'],
    [{ trait: '', op: 'eq', value: 1 }, 'Choose what to ask about'],
    [{ trait: 'a', op: 'in', value: [] }, 'Give a value'],
    [{ trait: 'a', op: 'between', value: [1, null] }, 'Give a value'],
    [{ event: '' }, 'Name the event'],
    [{ event: 'E', times: {} }, 'Say how many times'],
    [{ event: 'E', where: [{ property: '', op: 'eq', value: 1 }] }, 'Complete the filters of the event'],
    [{ segment: '' }, 'Choose a segment'],
    [{ consent: { purpose: '' } }, 'Choose a purpose'],
    [{ sequence: [{ event: 'A' }, { event: '' }] }, 'Name every event'],
  ])('%j wants: %s', (rule, message) => {
    expect(lacks(treeOf(rule)).map((each) => each.message)).toContain(message);
  });
  it.each([{ trait: 'a', op: 'missing' }, { trait: 'a', op: 'eq', value: false }, { trait: 'a', op: 'eq', value: 0 }])('%j is complete', (rule) => {
    expect(lacks(treeOf(rule))).toEqual([]);
  });
});
