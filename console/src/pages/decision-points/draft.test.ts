import { describe, expect, it } from 'vitest';
import type { DecisionPoint } from '../../api/types';
import { blank, bodyOf, draftOf, faults, free } from './draft';

const point = {
  key: 'home', version: 3, createdAt: '2026-01-01T00:00:00Z', updatedAt: '2026-01-01T00:00:00Z', updatedBy: 'ada', name: 'Home', class: 'advertising', audience: { plan: 'paid' },
  offers: ['spring'], channels: ['email'], creatives: [{ key: 'a', tone: 'formal' }], crosses: [['plan', 'hour']], holdouts: ['team'], expiresAfterMinutes: 60,
  groups: { random: 0.1, businessAsUsual: 0, yield: true }, when: { mode: 'spread', withinHours: 12, exploration: 0.2 },
  policy: { type: 'bandit', exploration: 0.05, alpha: 0.5, halfLifeDays: 30, method: 'greedy', exposure: [{ actions: ['spring/*/*'], when: { plan: 'paid' }, least: 0.2 }, { actions: ['*'], each: 0.01 }], where: { type: 'fixed', action: 'spring/email/a' } },
  features: [{ name: 'plan', source: 'profile', kind: 'categorical', values: ['free'] }], objective: { terms: [{ event: 'Order' }], windowHours: 24 },
  costs: { hurdle: 0.1 }, defaultAction: 'none', noneAction: true, shadow: false,
} as unknown as DecisionPoint;

describe('a decision point in a form', () => {
  it('comes back as it was', () => {
    const { key, version, createdAt, updatedAt, updatedBy, ...body } = point;
    expect([key, version, createdAt, updatedAt, updatedBy]).toEqual(['home', 3, '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', 'ada']);
    expect(bodyOf(draftOf(point))).toEqual(body);
  });

  it('leaves what belongs to a type with it', () => {
    const body = bodyOf({ ...draftOf(point), type: 'rules', rules: '[{"actions": ["none"]}]', where: '', exposure: [] });
    expect(body.policy).toEqual({ type: 'rules', exploration: 0.05, rules: [{ actions: ['none'] }] });
    expect(bodyOf({ ...blank, exposure: [{ ...free, actions: ['spring/*/*'], most: 0.5 }] }).policy).toEqual({ type: 'uniform', exposure: [{ actions: ['spring/*/*'], most: 0.5 }] });
    expect(bodyOf({ ...blank, type: 'model', model: 'lift', exploration: 0.1 }).policy).toEqual({ type: 'model', model: 'lift', treatment: 'offer', exploration: 0.1 });
  });

  it('names what is no JSON', () => {
    expect(faults(blank)).toEqual({});
    expect(faults({ ...blank, exposure: [free, { ...free, when: '{' }] })).toEqual({ 'exposure[1].when': 'must be JSON' });
    expect(faults({ ...blank, audience: '[]', rules: '{', costs: '{}' })).toEqual({ audience: 'must be an object', rules: 'must be JSON' });
  });
});
