import { describe, expect, it } from 'vitest';
import { bodyOf, draftOf, emptyDraft, evenly, keyOf, openIn, type Draft } from './draft';

const experiment = {
  name: 'Free delivery',
  hypothesis: 'More people order.',
  decisionPoint: 'checkout',
  coverage: 0.4,
  audience: { segments: { $in: ['loyal', 'new'] } },
  holdouts: ['email'],
  variants: [
    { key: 'as-is', weight: 0.3333, control: true },
    { key: 'free', name: 'Free', weight: 0.6667, policy: { type: 'uniform' } },
  ],
  metrics: ['ordering'],
  secondary: ['visits'],
  guardrails: [{ metric: 'margin', margin: 0.02, action: 'stop' as const }],
  analysis: { method: 'group-sequential' as const, alpha: 0.1, minimumEffect: 0.03, nStar: 20000, looks: 4, cuped: { days: 28, metric: 'visits' }, dimensions: ['trait.city'], correction: 'bh' as const },
  sticky: true,
  layers: [{ layer: 'checkout', from: 0, to: 0.5 }],
};

it('an experiment comes back from the wizard as it went in, with what the wizard does not ask for', () => {
  expect(bodyOf(draftOf('free-delivery', experiment))).toEqual(experiment);
});

it('what the service adds is not sent back', () => {
  const read = { ...experiment, status: 'draft' as const, editedBy: 'user:a', startedAt: '2026-01-01T00:00:00Z', approvals: [], change: { action: 'edit' } };
  const body = bodyOf(draftOf('k', { ...read, version: 3, key: 'k', createdAt: 'x', updatedAt: 'y', updatedBy: 'z' } as never));
  for (const field of ['editedBy', 'startedAt', 'approvals', 'change', 'version', 'key', 'createdAt', 'updatedAt', 'updatedBy']) expect(body).not.toHaveProperty(field);
});

it('another condition than segments stays as JSON', () => {
  const draft = draftOf('k', { ...experiment, audience: { age: { $gt: 30 } } });
  expect(draft.audienceKind).toBe('condition');
  expect(bodyOf(draft).audience).toEqual({ age: { $gt: 30 } });
});

it.each([
  ['Free delivery!', 'free-delivery'],
  ['  – ', ''],
  ['A/B 2', 'a-b-2'],
])('%s suggests %s', (name, key) => expect(keyOf(name)).toBe(key));

it.each([2, 3, 6, 7])('%i even arms make 100%%', (count) => {
  const arms = evenly(Array.from({ length: count }, () => emptyDraft.arms[0]).flatMap((arm) => (arm === undefined ? [] : [arm])));
  expect(arms.reduce((sum, arm) => sum + arm.percent, 0)).toBeCloseTo(100, 10);
});

describe('what is open', () => {
  const draft: Draft = { ...draftOf('k', experiment) };
  it('is nothing for a whole experiment', () => {
    for (const part of ['hypothesis', 'metrics', 'audience', 'split', 'power', 'review'] as const) expect(openIn(draft, part)).toEqual([]);
  });
  it.each<[string, Partial<Draft>, Parameters<typeof openIn>[1], RegExp]>([
    ['no name', { name: ' ' }, 'hypothesis', /name/],
    ['no metric', { metrics: [] }, 'metrics', /decides/],
    ['a metric twice', { secondary: ['ordering'] }, 'metrics', /decides already/],
    ['a guardrail twice', { guardrails: [...draft.guardrails, ...draft.guardrails] }, 'metrics', /twice/],
    ['no segment', { segments: [] }, 'audience', /segment/],
    ['broken JSON', { audienceKind: 'condition', condition: '{' }, 'audience', /JSON/],
    ['nobody', { coveragePercent: 0 }, 'audience', /share/],
    ['weights off', { arms: draft.arms.map((arm) => ({ ...arm, percent: 40 })) }, 'split', /80%/],
    ['two controls', { arms: draft.arms.map((arm) => ({ ...arm, control: true })) }, 'split', /control/],
    ['the end first', { startAt: '2026-05-02T00:00', endAt: '2026-05-01T00:00' }, 'power', /after/],
  ])('%s', (_, change, part, words) => expect(openIn({ ...draft, ...change }, part).join(' ')).toMatch(words));
});
