import { describe, expect, it } from 'vitest';
import { personName, personNote } from './person';

const at = '2026-11-22T12:00:00Z';
const anonymous = { namespace: 'anonymousId', value: 'a-1', firstSeen: at };
const user = { namespace: 'userId', value: 'u42', firstSeen: at };

describe('personName', () => {
  it.each([
    [{ name: 'Ada Lovelace', email: 'ada@example.com' }, 'Ada Lovelace'],
    [{ firstName: 'Ada', lastName: 'Lovelace' }, 'Ada Lovelace'],
    [{ email: 'ada@example.com' }, 'ada@example.com'],
    [{ name: 7 }, 'u42'],
  ])('of traits %o is %s', (traits, name) => {
    expect(personName({ profileId: 'p1', identifiers: [anonymous, user], traits })).toBe(name);
  });
  it('is the profile id when nothing else is known', () => {
    expect(personName({ profileId: 'p1', identifiers: [], traits: {} })).toBe('p1');
  });
});

describe('personNote', () => {
  it('names what the name does not', () => {
    const person = { profileId: 'p1', identifiers: [anonymous, user], traits: { name: 'Ada', email: 'ada@example.com' } };
    expect(personNote(person)).toBe('ada@example.com · userId u42');
  });
  it('falls back to the profile id', () => {
    expect(personNote({ profileId: 'p1', identifiers: [], traits: { name: 'Ada' } })).toBe('p1');
  });
});
