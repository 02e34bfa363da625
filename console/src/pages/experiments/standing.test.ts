import { expect, test } from 'vitest';
import { isStanding } from './standing';

test.each([
  ['universal-holdout', true],
  ['universal-comparison', true],
  ['holdout:spring', true],
  ['comparison:spring', true],
  ['groups:home-hero', true],
  ['hero-learning', false],
  ['my-holdout', false],
  ['groups', false],
])('%s', (key, standing) => {
  expect(isStanding(key)).toBe(standing);
});
