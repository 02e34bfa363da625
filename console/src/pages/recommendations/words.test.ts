import { expect, test } from 'vitest';
import { itemsOf, methodWords, qualityWords, reasonWords } from './words';

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
