import { describe, expect, it } from 'vitest';
import { dayBefore, formatWords, readPatch, scoreTone, sourceKind, sourceTitle, typeWords } from './words';

it.each([
  ['system', undefined, 'The service itself', 'built in'],
  ['webhook:crm', 'CRM', 'CRM', 'webhook'],
  ['k1', '', 'k1', 'API key'],
  ['stream:events', undefined, 'stream:events', 'stream'],
])('%s named %s is %s, a %s', (id, name, title, kind) => {
  expect(sourceTitle({ id, ...(name === undefined ? {} : { name }) })).toBe(title);
  expect(sourceKind(id)).toBe(kind);
});

it.each([
  [{}, 'always empty'],
  [{ number: 3 }, 'number'],
  [{ number: 98, text: 2 }, 'number 98%, text 2%'],
  [{ text: 1, number: 9999 }, 'number >99%, text <1%'],
])('types %o read as %s', (types, words) => expect(typeWords(types)).toBe(words));

it.each([
  [{ email: 4 }, { text: 4 }, 'e-mail addresses'],
  [{ email: 2, phone: 1 }, { text: 4 }, '50% e-mail addresses, 25% phone numbers'],
  [{ email: 1 }, { text: 100 }, ''],
  [{ email: 1 }, {}, ''],
])('formats %o of %o read as "%s"', (formats, types, words) => expect(formatWords({ formats, types } as never)).toBe(words));

it.each([
  [null, 'quiet'],
  [95, 'better'],
  [90, 'better'],
  [85, 'warning'],
  [79.9, 'worse'],
])('a score of %s is %s', (total, tone) => expect(scoreTone(total)).toBe(tone));

describe('a correction', () => {
  it.each(['', '   '])('"%s" is none', (text) => expect(readPatch(text)).toEqual({ patch: undefined }));
  it('is an object', () => expect(readPatch('{"event": null}')).toEqual({ patch: { event: null } }));
  it.each(['[1]', '3', 'null', '{"a"'])('%s is refused', (text) => expect(readPatch(text)).toHaveProperty('wrong'));
});

it('days are of UTC', () => expect(dayBefore(new Date('2026-03-01T00:30:00Z'), 1)).toBe('2026-02-28'));
