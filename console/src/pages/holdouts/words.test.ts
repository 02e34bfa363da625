import { expect, it } from 'vitest';
import { reportKeys, sideWords } from './words';

it.each([
  ['universal', 'universal-holdout', 'universal-comparison'],
  ['email', 'holdout:email', 'comparison:email'],
])('%s is reported as %s and %s', (key, all, comparison) => expect(reportKeys(key)).toEqual({ all, comparison }));

it.each(['held', 'comparison', 'outside'] as const)('the side %s has words', (side) => expect(sideWords(side)).toMatch(/^is /));
