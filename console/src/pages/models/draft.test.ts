import { describe, expect, it } from 'vitest';
import { bodyOf, draftOf, emptyDraft } from './draft';

describe('bodyOf', () => {
  it('sends what belongs to the family', () => {
    expect(bodyOf({ ...emptyDraft, name: ' Who leaves ', experiment: 'left from before' })).toEqual({
      name: 'Who leaves',
      family: 'churn',
      horizonDays: 30,
      activeDays: 180,
      paused: false,
      autoPromote: true,
    });
    expect(bodyOf({ ...emptyDraft, family: 'uplift', experiment: 'win-back', treatments: 'email, push email', cost: 0.5 })).toMatchObject({
      experiment: 'win-back',
      control: 'control',
      treatments: ['email', 'push'],
      outcome: 'purchase',
      cost: 0.5,
    });
  });

  it('keeps what the form does not show', () => {
    const kept = { family: 'lifetime' as const, maxRows: 5000, value: 'margin', events: ['Order Completed'] };
    const draft = draftOf({ ...kept, key: 'worth', version: 1, updatedAt: '2026-01-01T00:00:00Z' } as Parameters<typeof draftOf>[0]);
    expect(bodyOf(draft, kept)).toMatchObject(kept);
    expect(bodyOf({ ...draft, value: '' }, kept).value).toBeUndefined();
  });
});
