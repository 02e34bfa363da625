import { expect, it } from 'vitest';
import type { FlagBody } from '../../api/types';
import { emptyFlag, faultsOf, flagOf, ruleWords, textOf, valueOf, valueText } from './form';

const flags: readonly FlagBody[] = [
  { type: 'boolean', default: false, enabled: true, name: 'New checkout' },
  {
    type: 'string',
    default: 'blue',
    enabled: false,
    holdouts: ['email'],
    exposures: 'tracking',
    rules: [
      { key: 'staff', condition: { staff: true }, value: 'true' },
      { key: 'some', value: 'red', coverage: 0.25, unit: 'userId', salt: 's' },
      { key: 'test', experiment: 'colour', values: { control: 'blue', red: 'red' } },
    ],
  },
  { type: 'number', default: 3.5, enabled: true, rules: [{ key: 'all', value: 4, startAt: '2026-01-01T00:00:00Z' }] },
  { type: 'json', default: { a: [1] }, enabled: true, prerequisites: [{ flag: 'other', condition: { value: true } }] },
];

it.each(flags.map((flag) => [flag.type, flag] as const))('a %s flag comes back from its form as it went in', (_, flag) => expect(flagOf(textOf(flag))).toEqual(flag));

it.each([
  ['true', 'boolean', true],
  [' 2.5 ', 'number', 2.5],
  ['2.5', 'string', '2.5'],
  ['{"a":1}', 'json', { a: 1 }],
] as const)('%s as a %s is %o', (text, type, value) => {
  expect(valueOf(text, type)).toEqual({ value });
});

it.each([
  ['yes', 'boolean'],
  ['', 'number'],
  ['ten', 'number'],
  ['{', 'json'],
] as const)('"%s" is no %s', (text, type) => expect(valueOf(text, type)).toHaveProperty('wrong'));

it('values are shown as they are typed', () => {
  expect(valueText('a', 'string')).toBe('a');
  expect(valueText('a', 'json')).toBe('"a"');
  expect(valueText(undefined, 'number')).toBe('');
});

const rule = { key: 'r', name: '', condition: '', kind: 'value' as const, value: 'true', coveragePercent: 100, experiment: '', values: {}, rest: {} };
it.each([
  [rule, 0],
  [{ ...rule, key: ' ', value: 'yes' }, 2],
  [{ ...rule, condition: '{' }, 1],
  [{ ...rule, kind: 'experiment' as const }, 1],
  [{ ...rule, kind: 'experiment' as const, experiment: 'e', values: { a: 'maybe' } }, 1],
])('%#: %i faults', (each, count) => expect(faultsOf(each, 'boolean')).toHaveLength(count));

it('rules in words', () => {
  expect((flags[1]?.rules ?? []).map((each) => ruleWords(each, 'string'))).toEqual(['true for who fulfils the condition', 'red for 25% of everybody', 'By the experiment colour, for everybody']);
  expect(emptyFlag.enabled).toBe(true);
});
