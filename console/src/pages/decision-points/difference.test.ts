import { describe, expect, it } from 'vitest';
import { difference } from './difference';

describe('the difference of two definitions', () => {
  it('is nothing between equals, in whatever order', () => {
    expect(difference({ a: 1, b: [{ key: 'x', n: 1 }] }, { b: [{ n: 1, key: 'x' }], a: 1 })).toEqual([]);
  });

  it('names each place', () => {
    expect(difference({ a: 1, list: ['x'], gone: {} }, { a: 2, list: ['x', 'y'] })).toEqual([
      { path: 'a', was: '1', is: '2' },
      { path: 'gone', was: '{}', is: undefined },
      { path: 'list[1]', was: undefined, is: '"y"' },
    ]);
  });

  it('compares what has a key with what has the same', () => {
    expect(difference({ c: [{ key: 'a', tone: 'warm' }, { key: 'b' }] }, { c: [{ key: 'b' }, { key: 'a', tone: 'cool' }] })).toEqual([{ path: 'c[a].tone', was: '"warm"', is: '"cool"' }]);
  });
});
