import { expect, test } from 'vitest';
import { bodyOf, draftOf, ruleWords } from './ruleDraft';
import { figureOf, fillRate, itemsOf, listWords, methodWords, moveOf, partsWords, qualityWords, reasonWords } from './words';

const report = {
  events: 10,
  people: 2,
  items: 3,
  judged: 5,
  seconds: 1,
  since: '2026-01-01T00:00:00Z',
  through: '2026-02-01T00:00:00Z',
  personal: 'ials',
  figures: { personal: [{ measure: 'NDCG', k: 10, value: 0.25, lower: 0.2, upper: 0.3 }] },
};

test('reasons are words', () => {
  expect(reasonWords({ reason: 'bought-with', because: ['tea'] })).toBe('bought together: tea');
  expect(reasonWords({ reason: 'popular' })).toBe('popular');
  expect(reasonWords({ reason: 'else', because: null })).toBe('else');
});

test('the method says why there is none', () => {
  expect(methodWords(report)).toBe('Factors of people and items (iALS)');
  expect(methodWords({ ...report, personal: '', refused: 'too few events' })).toBe('None: too few events');
  expect(methodWords({ ...report, personal: '' })).toBe('None yet');
});

test('quality has an interval', () => {
  expect(qualityWords(report, 'personal')).toBe('0.250 (0.200 to 0.300)');
  expect(qualityWords(report, 'popular')).toBeUndefined();
});

test('items are told apart', () => {
  expect(itemsOf(' a, b  b\nc ,')).toEqual(['a', 'b', 'c']);
});

const shown: Parameters<typeof listWords>[0] = { items: [], personal: true, fallBack: false, known: 3, bought: 2, candidates: 40 };
const item = { id: 'tea', place: 2 } as never;

test('a list says where it comes from', () => {
  expect(listWords(shown)).toMatch(/^Nothing in the catalogue/);
  expect(listWords({ ...shown, items: [item] })).toBe('3 events of the person were used. 40 candidates; 2 were left out because the person bought them.');
  expect(listWords({ ...shown, items: [item], personal: false, fallBack: true, bought: 0 })).toBe('Nothing is known of the person. Only fall-backs: what is popular, trends, is new or pinned. 40 candidates.');
  expect(listWords({ ...shown, items: [item], bought: 0, ranker: 4 })).toBe('3 events of the person were used. 40 candidates. Ranker 4 ordered them.');
  expect(partsWords({ parts: [{ source: 'for-you', share: 0.75, rank: 2 }, { source: 'popular', share: 0.25 }] })).toBe('taste 75% (its no. 2), popular 25%');
});

test('places move', () => {
  const before = { items: [{ id: 'tea', place: 4 }, { id: 'pot', place: 1 }] as never };
  expect(moveOf(before, { id: 'tea', place: 1 })).toEqual({ kind: 'up', word: 'up from 4' });
  expect(moveOf(before, { id: 'pot', place: 2 })).toEqual({ kind: 'down', word: 'down from 1' });
  expect(moveOf(before, { id: 'pot', place: 1 }).word).toBe('');
  expect(moveOf(before, { id: 'cup', place: 1 }).word).toBe('new');
});

test('figures of quality', () => {
  expect(fillRate({ asked: 10, given: 7 })).toBe(0.7);
  expect(fillRate({ asked: 0, given: 0 })).toBeUndefined();
  expect(figureOf(report, 'personal', 'NDCG')?.value).toBe(0.25);
  expect(figureOf(report, 'personal', 'MAP')).toBeUndefined();
});

test('a draft of rules is what was saved, and back', () => {
  const row = { kind: 'cart', goal: 'margin', boughtDays: -1, categories: ['home, garden/pots', 'a b'], pin: ['x', 'y'], boost: [{ item: 'x', factor: 2 }, { category: 'a', factor: 0.5 }], diversity: 0.3, exploration: 0.05, maxPrice: 20 } as const;
  expect(bodyOf(draftOf(row as never))).toEqual(row);
  expect(bodyOf({ ...draftOf(), diversity: 0 })).toEqual({ kind: 'home', goal: 'relevance', boughtDays: 30, diversity: 0, exploration: 0 });
  expect(ruleWords(row as never)).toBe('by expected profit; only home, garden/pots, a b; price 0 to 20; 2 pinned; 1 boosted; 1 buried; bought ones too; diversity 0.3; 5% exploration');
  expect(ruleWords({})).toBe('not bought in 30 days');
});
