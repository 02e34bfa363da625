import { describe, expect, it } from 'vitest';
import { calibrationWords, driftVerdict, familyName, featureWords, jobWords } from './words';

describe('words of models', () => {
  it('says how a run stands', () => {
    expect(jobWords({ kind: 'train', progress: 0.4, stage: 'cross-validating' })).toBe('training: cross-validating, 40%');
    expect(jobWords({ kind: 'score', progress: 0 })).toBe('scoring');
    expect(jobWords({ kind: 'train', progress: 1, endedAt: 'x', error: 'too few rows', result: '' })).toBe('too few rows');
    expect(jobWords({ kind: 'score', progress: 1, endedAt: 'x', result: '12 people' })).toBe('12 people');
  });

  it('names features as people would', () => {
    expect(featureWords('daysSinceLastOrder')).toBe('days since last order');
    expect(featureWords('kindsOfEvents90')).toBe('kinds of events, last 90 days');
    expect(featureWords('orders')).toBe('orders');
  });

  it('reads drift and calibration by their bounds', () => {
    expect([0.05, 0.2, 0.3].map((psi) => driftVerdict(psi).word)).toEqual(['as in training', 'worth a look', 'train anew']);
    expect(calibrationWords({ bins: [], error: 0.02, noise: 0.03, p: 0.4, slope: 1 })).toBe('Off by 0.020 on average, no more than chance would do (0.030); slope 1.00.');
    expect(calibrationWords({ bins: [], error: 0.05, noise: 0.03, p: 0.4, slope: 0.8 })).toContain('more than chance');
  });

  it('leaves families that it does not know as they are', () => {
    expect(familyName('send-time')).toBe('Send time');
    expect(familyName('other')).toBe('other');
  });
});
