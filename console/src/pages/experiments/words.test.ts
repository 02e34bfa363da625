import { describe, expect, it } from 'vitest';
import { changeWords, groupsOf, healthWords, methodWords, recommendationWords, stepsOf } from './words';

it.each([
  [{}, /^95% intervals that stay valid/],
  [{ method: 'fixed' as const, alpha: 0.1 }, /^90% intervals for one look/],
  [{ method: 'bayesian' as const }, /credible/],
  [{ method: 'group-sequential' as const, looks: 4, alpha: 0.001 }, /^99.9% intervals for 4 planned looks/],
])('%o reads %s', (analysis, words) => expect(methodWords(analysis)).toMatch(words));

it('groups metrics by what they are for and leaves out empty groups', () => {
  const metric = (key: string, role: string) => ({ key, role }) as never;
  expect(groupsOf([metric('c', 'secondary'), metric('a', 'goal'), metric('b', 'goal')]).map(({ title, list }) => [title, list.map(({ key }) => key)])).toEqual([
    ['Goals', ['a', 'b']],
    ['Secondary', ['c']],
  ]);
});

it.each([
  ['ship', 'b', 'Ship b', 'better'],
  ['drop', 'b', 'Drop b', 'worse'],
  ['fix', undefined, 'Find the fault first', 'worse'],
  ['wait', undefined, 'Wait', 'accent'],
  ['none', undefined, 'Nothing to decide', 'quiet'],
])('%s of %s is "%s"', (action, variant, title, tone) =>
  expect(recommendationWords({ action, reason: '', ...(variant === undefined ? {} : { variant }) })).toEqual({ title, tone }));

describe('health', () => {
  const report = { checksPassed: true, checks: [], recommendation: { action: 'wait', reason: 'not yet' } };
  it('is the recommendation when all is well', () => expect(healthWords(report)).toEqual({ word: 'wait', tone: 'accent', why: 'not yet' }));
  it('is a failed check before anything else', () =>
    expect(
      healthWords({ ...report, checksPassed: false, checks: [{ name: 'sample-ratio', passed: false, made: true, detail: 'uneven' }], recommendation: { action: 'ship', reason: '' } }).why,
    ).toBe('uneven'));
  it('is a broken guardrail before a gain', () => {
    const guardrails = [{ metric: 'm', variant: 'b', margin: 0, action: 'stop', state: 'broken', detail: 'lost' }] as never;
    expect(healthWords({ ...report, guardrails, recommendation: { action: 'ship', reason: '' } }).word).toBe('a guardrail is broken');
  });
});

it.each([
  ['draft', 2, ['edit', 'submit', 'start', 'archive']],
  ['review', 2, ['edit', 'approve', 'reject', 'start']],
  ['running', 2, ['edit', 'stop']],
  ['running', 3, ['edit', 'drop', 'stop']],
  ['stopped', 2, ['archive']],
  ['archived', 2, []],
] as const)('%s with %i arms can %o', (status, arms, steps) =>
  expect(stepsOf({ status, variants: Array.from({ length: arms }, (_, index) => ({ key: index.toString(), weight: 1 / arms })) })).toEqual(steps));

it('a scheduled draft can be taken off the schedule', () => expect(stepsOf({ status: 'draft', scheduledBy: 'user:a', variants: [] })).toContain('stop'));
it('an action without words is itself', () => expect(changeWords({ action: 'paint' })).toBe('paint'));
