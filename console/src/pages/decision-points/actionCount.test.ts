import { describe, expect, it } from 'vitest';
import type { DecisionPoint } from '../../api/types';
import { actionCount, objectiveText } from './actionCount';
import { policyText } from './policyText';

const point: DecisionPoint = {
  key: 'home-hero',
  offers: ['a', 'b', 'c'],
  channels: ['email', 'onsite'],
  creatives: [{ key: 'x' }, { key: 'y' }],
  policy: { type: 'bandit' },
  objective: { terms: [], windowHours: 72 },
  version: 1,
  createdAt: '2026-11-22T12:00:00Z',
  updatedAt: '2026-11-22T12:00:00Z',
  updatedBy: 'key:1',
};

describe('actionCount', () => {
  it('multiplies offers, channels and creatives and adds nothing', () => expect(actionCount(point)).toBe(13));
  it('leaves nothing out where it is not allowed', () => expect(actionCount({ ...point, noneAction: false })).toBe(12));
  it('counts one creative where none is named', () => expect(actionCount({ ...point, creatives: [] })).toBe(7));
});

describe('objectiveText', () => {
  it.each([
    [{ terms: [{ event: 'Order Completed', property: 'margin', weight: 1 }], windowHours: 72, subtractContactCost: true }, 'margin of Order Completed − contact cost'],
    [{ terms: [{ event: 'Click', weight: 0.1 }, { event: 'Order', weight: 1 }], windowHours: 1 }, '0.1 × each Click + each Order'],
    [{ terms: [], windowHours: 1 }, 'no objective'],
  ])('%o is %s', (objective, text) => expect(objectiveText(objective)).toBe(text));
});

describe('policyText', () => {
  it.each([
    [{ type: 'bandit', exploration: 0.05 }, 'bandit, 5% explored evenly'],
    [{ type: 'fixed', action: 'none' }, 'always none'],
    [{ type: 'uniform' }, 'uniform: all actions alike'],
    [undefined, "the decision point's own"],
    [{ type: 'rules' }, 'rules'],
  ])('%o is %s', (policy, text) => expect(policyText(policy)).toBe(text));
});
