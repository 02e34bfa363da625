import { describe, expect, it } from 'vitest';
import { compact, compactTick, count, decimalsFor, fixed, pValue, percent, probability, signed, significant } from './number';

describe('count', () => {
  it.each([
    [0, '0'],
    [12345, '12,345'],
    [-7, '−7'],
    [undefined, '–'],
    [Number.NaN, '–'],
  ])('%s is %s', (value, text) => expect(count(value)).toBe(text));
});

describe('compact', () => {
  it.each([
    [0, '0'],
    [950, '950'],
    [0.5, '0.50'],
    [12_345, '12.3k'],
    [123_456, '123k'],
    [4_560_000, '4.56M'],
    [7_800_000_000, '7.80B'],
  ])('%s is %s', (value, text) => expect(compact(value)).toBe(text));
});

describe('compactTick', () => {
  it.each([
    [0, '0'],
    [500, '500'],
    [1000, '1k'],
    [1500, '1.5k'],
    [1250, '1.25k'],
    [20_000, '20k'],
    [100_000, '100k'],
    [2_000_000, '2M'],
  ])('%s is %s', (value, text) => expect(compactTick(value)).toBe(text));
});

describe('signed', () => {
  it.each([
    [7.659, 2, '+7.66'],
    [-0.5, 1, '−0.5'],
    [0, 2, '0.00'],
    [-0.0001, 2, '0.00'],
    [0.0001, 2, '0.00'],
    [12345.6, 0, '+12,346'],
  ])('%s with %i decimals is %s', (value, decimals, text) => expect(signed(value, decimals)).toBe(text));
});

describe('percent', () => {
  it.each([
    [0.1372, '13.7%'],
    [0, '0%'],
    [1, '100%'],
    [0.0031, '0.31%'],
    [0.00031, '0.031%'],
    [0.05, '5.0%'],
    [null, '–'],
  ])('%s is %s', (value, text) => expect(percent(value)).toBe(text));
  it('takes the decimals it is given', () => expect(percent(0.05, 0)).toBe('5%'));
});

describe('probability', () => {
  it.each([
    [0.137, '0.137'],
    [0.0061, '0.0061'],
    [1, '1'],
    [0, '0'],
    [0.00001, '1.0\u202f×\u202f10^−5'],
    [0.99996, '0.99996'],
  ])('%s is %s', (value, text) => expect(probability(value)).toBe(text));
});

describe('significant', () => {
  it.each([
    [0.652789, '0.653'],
    [1234.5, '1,235'],
    [0, '0'],
    [0.00612, '0.00612'],
    [-3.14159, '−3.14'],
  ])('%s is %s', (value, text) => expect(significant(value)).toBe(text));
});

describe('pValue', () => {
  it.each([
    [0.5, '0.50'],
    [0.0231, '0.023'],
    [0.00231, '0.0023'],
    [1e-12, '< 0.0001'],
    [undefined, '–'],
  ])('%s is %s', (value, text) => expect(pValue(value)).toBe(text));
});

describe('decimalsFor', () => {
  it.each([
    [0.664, 2],
    [6.64, 1],
    [66.4, 0],
    [0.0066, 4],
    [0, 2],
    [Number.POSITIVE_INFINITY, 2],
  ])('a half-width of %s needs %i decimals', (half, decimals) => expect(decimalsFor(half)).toBe(decimals));
  it('shows two significant digits of any half-width', () => {
    for (let exponent = -5; exponent < 1; exponent++) {
      const half = 3.7 * 10 ** exponent;
      expect(fixed(half, decimalsFor(half)).replace('.', '').replace(/^0+/, '')).toHaveLength(2);
    }
  });
});
