import { describe, expect, it } from 'vitest';
import { attributeText, attributeTitle, groupedAttributes, isMasked, typedValue } from './attributes';

describe('groupedAttributes', () => {
  it('puts those that belong together under a heading, and own ones last', () => {
    const groups = groupedAttributes({ zeal: 1, spend: 10, orders: 2, stage: 'activate', margin: null });
    expect(groups.map(({ title, entries }) => [title, entries.map(([name]) => name)])).toEqual([
      ['Lifecycle', ['stage']],
      ['Orders and value', ['orders', 'spend']],
      ['Defined here', ['zeal']],
    ]);
  });
});

describe('attributeText', () => {
  it.each([
    ['spend', 1234.567, '1,234.57'],
    ['discountShare', 0.25, '25%'],
    ['categoryAffinity', { Shoes: 0.25, Hats: 0.75 }, 'Hats 75%, Shoes 25%'],
    ['messagesSent', { email: 3 }, 'email 3'],
    ['losses', ['cart-abandoned', 'inactive'], 'cart-abandoned, inactive'],
    ['losses', [], 'none'],
    ['stage', 'activate', 'activate'],
  ])('of %s %o is %s', (name, value, text) => expect(attributeText(name, value)).toBe(text));
});

describe('attributeTitle', () => {
  it.each([
    ['daysSinceLastOrder', 'Days since last order'],
    ['rfmSegment', 'RFM segment'],
  ])('of %s is %s', (name, title) => expect(attributeTitle(name)).toBe(title));
});

describe('typedValue', () => {
  it.each([
    ['42', 42],
    ['0049', '0049'],
    ['12345678901234567890', '12345678901234567890'],
    ['-1.5', -1.5],
    ['true', true],
    ['', null],
    ['gold', 'gold'],
    ['[1, 2]', [1, 2]],
    ['{"a": 1}', { a: 1 }],
    ['"42"', '42'],
    ['2026-01-01', '2026-01-01'],
    ['[broken', '[broken'],
  ])('%j is %j', (text, value) => expect(typedValue(text)).toEqual(value));
});

describe('isMasked', () => {
  it.each([
    ['a•••@example.org', true],
    ['ada@example.org', false],
    [7, false],
  ])('%s: %s', (value, masked) => expect(isMasked(value)).toBe(masked));
});
