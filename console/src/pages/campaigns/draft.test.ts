import { describe, expect, it } from 'vitest';
import type { Campaign } from '../../api/types';
import { blank, bodyOf, draftOf, jsonFault } from './draft';

describe('the form of a campaign', () => {
  it('says only what was filled in', () => {
    expect(bodyOf({ ...blank, decisionPoint: 'news', everybody: true, basis: 'service', purpose: 'left over' })).toEqual({
      decisionPoint: 'news', audience: { everybody: true }, consent: { basis: 'service' }, schedule: { kind: 'once' },
    });
  });
  it('keeps a campaign as it was', () => {
    const body = {
      name: 'N', decisionPoint: 'news', audience: { segment: 'vip', condition: { age: { $gt: 18 } } }, consent: { basis: 'consent' as const, purpose: 'ads' },
      schedule: { kind: 'weekly' as const, time: '10:00', zone: 'Europe/Berlin', weekdays: [1, 3] }, localTime: '12:00', context: { tone: 'warm' },
    };
    const campaign = { ...body, key: 'k', version: 1, createdAt: '', updatedAt: '', updatedBy: '' } as Campaign;
    expect(bodyOf(draftOf(campaign))).toEqual(body);
  });
  it('names what is no JSON', () => {
    expect(jsonFault('')).toBe('');
    expect(jsonFault('{"a":1}')).toBe('');
    expect(jsonFault('[1]')).not.toBe('');
    expect(jsonFault('{')).not.toBe('');
  });
});
