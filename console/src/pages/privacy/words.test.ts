import { expect, it } from 'vitest';
import { daysWords, foundNothing, mentions, ruleTarget } from './words';

const check = (rows: number, mentioned = 0) => ({ store: 'postgres', what: 'profiles', rows, mentions: mentioned });

it.each([
  [{ checks: null }, false],
  [{ checks: [] }, false],
  [{ checks: [check(0), check(0, 3)] }, true],
  [{ checks: [check(0), check(1)] }, false],
])('a proof of %o found nothing: %s', (proof, is) => expect(foundNothing(proof)).toBe(is));

it('counts mentions over all places', () => expect(mentions({ checks: [check(0, 1), check(0, 4)] })).toBe(5));

it.each([
  [{ of: 'decisions' as const }, 'Decisions'],
  [{ event: '*' }, 'Every other event'],
  [{ event: '$page' }, '$page'],
])('%o is about %s', (rule, words) => expect(ruleTarget(rule)).toBe(words));

it.each([
  [1, '1 day'],
  [90, '90 days'],
  [365, '1 year'],
  [1095, '3 years'],
])('%i days are %s', (days, words) => expect(daysWords(days)).toBe(words));
