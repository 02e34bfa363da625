import { describe, expect, it } from 'vitest';
import type { Report } from '../../api/types';
import { reportCsv } from './reportCsv';

const estimate = { estimate: 0.07659, lower: 0.06995, upper: 0.08322, standardError: 0.00338 };

const report: Report = {
  experiment: 'hill"strom, 2008',
  status: 'running',
  at: '2026-11-22T12:00:00Z',
  asOf: '2026-11-22T12:00:00Z',
  checksPassed: true,
  generatedAt: '2026-11-22T12:00:00Z',
  checks: [],
  analysis: {},
  recommendation: { action: 'none', reason: '' },
  arms: [
    { variant: 'none', control: true, weight: 0.5, units: 21306, mixed: 0 },
    { variant: 'mens', control: false, weight: 0.5, units: 21307, mixed: 0 },
  ],
  metrics: [
    {
      key: 'visit',
      name: 'Visit',
      kind: 'proportion',
      role: 'goal',
      direction: 'increase',
      windowHours: 336,
      arms: [
        { variant: 'none', units: 21306, matured: 21306, sum: 2262, mean: 0.106167, standardError: 0.00211 },
        { variant: 'mens', units: 21307, matured: 21307, sum: 3894, mean: 0.182757, standardError: 0.00265 },
      ],
      effects: [{ variant: 'mens', absolute: estimate, pValue: 1e-100 }],
    },
  ],
  sql: [],
};

describe('reportCsv', () => {
  const lines = reportCsv(report).trimEnd().split('\r\n');
  it('has a header and a line for each metric and variant', () => expect(lines).toHaveLength(2));
  it('quotes what needs it and keeps all digits', () => {
    expect(lines[1]).toBe(
      '"hill""strom, 2008",visit,proportion,336,mens,none,21307,0.182757,0.00265,21306,0.106167,0.00211,0.07659,0.06995,0.08322,,,,1e-100',
    );
  });
  it('has as many cells as names when a part of an effect is missing', () => {
    const cells = lines[1]?.replace(/"(?:[^"]|"")*"/, 'x').split(',');
    expect(cells).toHaveLength(lines[0]?.split(',').length ?? 0);
  });
});
