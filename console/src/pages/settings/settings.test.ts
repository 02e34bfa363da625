import { describe, expect, it } from 'vitest';
import type { IdentityRules } from '../../api/types';
import { messageAt, unplaced } from '../../parts/findings';
import { moved, rulesOf, textOf } from './identityForm';
import { maskWords } from './masks';
import { momentOf } from './auditFilter';

const rules: IdentityRules = {
  version: 2,
  namespaces: [
    { namespace: 'userId', limit: 1, period: 'ever', unique: true },
    { namespace: 'email', limit: 5, period: 'year', joins: true, blocked: ['info@*'] },
  ],
  blocked: ['null', 'n/a'],
  sharedDeviceUsers: 3,
  phoneRegion: 'DE',
};

describe('identity rules', () => {
  it('come back from the form as they went in', () => {
    expect(rulesOf(textOf(rules))).toEqual({ namespaces: rules.namespaces, blocked: rules.blocked, sharedDeviceUsers: 3, phoneRegion: 'DE' });
  });
  it('leave it to the service to refuse an empty number', () => {
    expect(rulesOf({ ...textOf(rules), sharedDeviceUsers: '' }).sharedDeviceUsers).toBe(0);
  });
  it('change their order', () => {
    expect(moved(['a', 'b', 'c'], 2, 0)).toEqual(['c', 'a', 'b']);
    expect(moved(['a', 'b', 'c'], 0, 1)).toEqual(['b', 'a', 'c']);
    expect(moved(['a', 'b'], 1, 2)).toEqual(['a', 'b']);
    expect(moved(['a', 'b'], 0, -1)).toEqual(['a', 'b']);
  });
});

describe('maskWords', () => {
  it.each([
    [[], 'shown in full'],
    [[{ field: 'personal', mode: 'partial' as const }], 'all in part'],
    [
      ['a', 'b', 'c', 'd', 'e'].map((name) => ({ field: `traits.${name}`, mode: 'hide' as const })),
      'traits.a hidden, traits.b hidden, traits.c hidden and 2 more',
    ],
  ])('%j', (masks, words) => {
    expect(maskWords(masks)).toBe(words);
  });
});

describe('findings', () => {
  const findings = [
    { location: 'path.key', message: 'is taken' },
    { location: 'masks[0].field', message: 'is required' },
  ];
  it('are said at their fields, and the others above', () => {
    expect(messageAt(findings, 'key')).toBe('is taken');
    expect(messageAt(findings, 'title')).toBe('');
    expect(unplaced(findings, ['key'])).toEqual([findings[1]]);
  });
});

describe('momentOf', () => {
  it('reads the local time of a form, and nothing else', () => {
    expect(momentOf('2026-03-01T12:30')).toBe(new Date(2026, 2, 1, 12, 30).toISOString());
    expect(momentOf('')).toBe('');
    expect(momentOf('yesterday')).toBe('');
  });
});
