import { expect, test } from 'vitest';
import { answersOf, attemptsNote, planOf, type Step } from './cascade';

const at = (minute: number) => `2026-03-28T10:${minute.toString().padStart(2, '0')}:00Z`;
const step = (more: Partial<Step>): Step => ({ step: 0, channel: 'telegram', state: 'sent', dueAt: at(0), attempts: 1, ...more });

test('a cascade shows what was tried and what would follow', () => {
  const plan = planOf({ steps: [step({})], cascade: [{ channel: 'telegram', wait: '4h' }, { channel: 'mail', wait: '2h', until: 'clicked' }, { channel: 'sms' }] });
  expect(plan.map(({ channel }) => channel)).toEqual(['telegram', 'mail', 'sms']);
  expect(plan[0]?.step?.state).toBe('sent');
  expect(plan[0]?.waits).toContain('not opened within 4h');
  expect(plan[1]?.step).toBeUndefined();
  expect(plan[1]?.waits).toContain('not clicked within 2h');
  expect(plan[2]?.waits).toBe('');
});

test('a message on one channel is its steps', () => {
  expect(planOf({ steps: [step({ channel: 'sms' })] })).toEqual([{ channel: 'sms', step: step({ channel: 'sms' }), waits: '' }]);
  expect(planOf({ steps: [] })).toEqual([]);
});

test('answers come in the order in which they happened, a bounce once', () => {
  const answers = answersOf(step({ state: 'failed', sentAt: at(1), deliveredAt: at(3), machineAt: at(2), bouncedAt: at(9), failedAt: at(9) }));
  expect(answers.map(({ word }) => word)).toEqual(['Sent', 'Opened by a machine', 'Delivered', 'Bounced']);
  expect(answersOf(step({ state: 'failed', failedAt: at(4) })).map(({ word }) => word)).toEqual(['Failed']);
});

test('what waits says when it is due', () => {
  expect(answersOf(step({ state: 'queued', dueAt: at(5) }))).toEqual([{ word: 'Due', at: at(5) }]);
  expect(attemptsNote(1)).toBe('');
  expect(attemptsNote(3)).toBe('3 attempts');
});
