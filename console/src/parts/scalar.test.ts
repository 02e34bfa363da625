import { expect, it } from 'vitest';
import { briefText, scalarText } from './scalar';

it.each([
  ['text', 'text'],
  [27.900000000000002, '27.9'],
  [12345678.25, '12345678.25'],
  [true, 'true'],
  [null, 'null'],
  [undefined, 'null'],
  [{ a: [1] }, '{"a":[1]}'],
])('%o is shown as %s', (value, text) => expect(scalarText(value)).toBe(text));

it.each([
  [[1], '1 entry'],
  [[], '0 entries'],
  [{ a: 1, b: 2 }, '2 fields'],
  ['text', 'text'],
])('%o is %s in brief', (value, text) => expect(briefText(value)).toBe(text));
