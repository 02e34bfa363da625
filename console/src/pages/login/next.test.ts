import { expect, it } from 'vitest';
import { safeNext } from './next';

it.each([
  ['/profiles/x?tab=events', '/profiles/x?tab=events'],
  [null, '/'],
  ['', '/'],
  ['https://elsewhere.example', '/'],
  ['//elsewhere.example', '/'],
  ['/\\elsewhere.example', '/'],
  ['javascript:alert(1)', '/'],
])('after signing in with next %s, %s opens', (next, path) => {
  expect(safeNext(next)).toBe(path);
});
