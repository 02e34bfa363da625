import { describe, expect, it } from 'vitest';
import { effectText, effectTick, levelTick, meanText } from './effect';

describe('effectText', () => {
  // Men's e-mail of the Hillstrom trial against no e-mail.
  const visit = { estimate: 0.07659, lower: 0.06995, upper: 0.08322 };
  const spend = { estimate: 0.7698, lower: 0.4851, upper: 1.0545 };

  it('gives a difference of proportions in percentage points', () => {
    expect(effectText(visit, 'proportion', 'absolute')).toEqual({
      estimate: '+7.66 pp',
      interval: '+7.00 to +8.32',
      unit: 'pp',
    });
  });
  it('gives a difference of means in the unit of the metric', () => {
    expect(effectText(spend, 'mean', 'absolute')).toEqual({ estimate: '+0.77', interval: '+0.49 to +1.05', unit: '' });
  });
  it('gives a relative effect as a percentage', () => {
    expect(effectText({ estimate: 0.722, lower: 0.64, upper: 0.804 }, 'mean', 'relative')).toEqual({
      estimate: '+72.2%',
      interval: '+64.0 to +80.4',
      unit: '%',
    });
  });
  it('does not show a bound beside zero as zero', () => {
    expect(effectText({ estimate: 0.13, lower: 0.003, upper: 0.257 }, 'mean', 'relative').interval).toBe('+0.3 to +25.7');
    expect(effectText({ estimate: 0.5, lower: 0, upper: 1 }, 'mean', 'absolute').interval).toBe('0.00 to +1.00');
  });
  it('shows both signs of an interval around zero', () => {
    expect(effectText({ estimate: 0.001, lower: -0.02, upper: 0.022 }, 'mean', 'relative').interval).toBe('−2.0 to +2.2');
  });
});

describe('effectTick', () => {
  it.each([
    ['proportion', 'absolute', 0.02, '+2'],
    ['proportion', 'absolute', 0, '0 pp'],
    ['proportion', 'relative', -0.1, '−10%'],
    ['mean', 'absolute', 0.25, '+0.25'],
    ['mean', 'absolute', 1500, '+1,500'],
    ['mean', 'relative', 0, '0%'],
  ] as const)('a %s, %s tick at %s is %s', (kind, mode, value, text) => expect(effectTick(kind, mode)(value)).toBe(text));
});

describe('levelTick', () => {
  it.each([
    [0, '0'],
    [0.5, '0.5'],
    [-2, '−2'],
    [1500, '1,500'],
  ])('%s is %s', (value, text) => expect(levelTick(value)).toBe(text));
});

describe('meanText', () => {
  it.each([
    [0.106167, 0.002112, 'proportion', '10.62%'],
    [0.652789, 0.0797, 'mean', '0.65'],
    [1234.567, 20, 'mean', '1,235'],
    [0.5, undefined, 'mean', '0.50'],
    [undefined, undefined, 'mean', '–'],
  ])('%s with standard error %s of a %s is %s', (mean, error, kind, text) => {
    expect(meanText(mean, error, kind)).toBe(text);
  });
});
