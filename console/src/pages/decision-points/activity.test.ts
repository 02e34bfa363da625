import { describe, expect, it } from 'vitest';
import { actionShares, activityBands, otherBand } from './activity';

const point = (at: string, decisions: number, meanPropensity: number) => ({ at, decisions, share: 0, meanPropensity });
const noon = '2026-11-22T12:00:00Z';
const later = '2026-11-22T12:05:00Z';
const series = [
  { action: 'none', points: [point(noon, 10, 0.1)] },
  { action: 'a/email/x', points: [point(noon, 30, 0.4), point(later, 60, 0.7)] },
  { action: 'b/email/x', points: [point(later, 20, 0.2)] },
  { action: 'c/email/x', points: [point(later, 20, 0.1)] },
];

describe('actionShares', () => {
  it('weighs propensities by decisions and puts the most taken first', () => {
    const shares = actionShares(series);
    expect(shares.map((each) => each.action)).toEqual(['a/email/x', 'b/email/x', 'c/email/x', 'none']);
    expect(shares[0]?.share).toBeCloseTo(90 / 140, 12);
    expect(shares[0]?.meanPropensity).toBeCloseTo((30 * 0.4 + 60 * 0.7) / 90, 12);
  });
  it('has no shares without decisions', () => expect(actionShares([{ action: 'none', points: [] }])[0]?.share).toBe(0));
});

describe('activityBands', () => {
  it('adds up to one in every bucket', () => {
    const { at, bands, decisions } = activityBands(series, 3);
    expect(at).toEqual([Date.parse(noon), Date.parse(later)]);
    expect(decisions).toEqual([40, 100]);
    expect(bands.map((band) => band.name)).toEqual(['a/email/x', 'b/email/x', otherBand]);
    for (const index of at.keys()) {
      expect(bands.reduce((sum, band) => sum + (band.shares[index] ?? 0), 0)).toBeCloseTo(1, 12);
    }
    expect(bands[2]?.shares).toEqual([0.25, 0.2]);
  });
  it('needs no band for the rest when there is none', () => {
    expect(activityBands(series, 8).bands).toHaveLength(4);
    expect(activityBands(series, 4).bands.map((band) => band.name)).not.toContain(otherBand);
  });
});
