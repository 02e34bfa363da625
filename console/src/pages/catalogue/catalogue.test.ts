import { expect, test } from 'vitest';
import { bodyOf, draftOf, headersOf } from './feedDraft';
import { bandsOf, feedStanding, marginShare, pauseWords, relatedTitle, scoreName, stockWords } from './words';

test('bands are quarters that hold something', () => {
  expect(bandsOf([1, 2, 3, 4, 5]).map(({ from, to }) => [from, to])).toEqual([[1, 2], [2, 3], [3, 4], [4, 5]]);
  expect(bandsOf([5, 5, 5, 9, 9]).map(({ label }) => label)).toEqual(['Third quarter: 5.00 to 9.00']);
  expect(bandsOf([])).toEqual([]);
});

test('a feed stands as its worst says', () => {
  const good = { expired: false, stale: false, rejected: 0, lastRun: '2026-01-01T00:00:00Z' };
  expect(feedStanding(good).word).toBe('in order');
  expect(feedStanding({ ...good, rejected: 3 }).word).toBe('with rejects');
  expect(feedStanding({ ...good, stale: true }).word).toBe('stale');
  expect(feedStanding({ ...good, stale: true, error: '502' }).word).toBe('fails');
  expect(feedStanding({ ...good, expired: true, error: '502' }).word).toBe('expired');
  expect(feedStanding({ expired: false, stale: false, rejected: 0 }).word).toBe('not run yet');
});

test('figures of items', () => {
  expect(stockWords(undefined)).toBe('unlimited');
  expect(stockWords(1200)).toBe('1,200');
  expect(marginShare(20, 5)).toBe(0.25);
  expect(marginShare(0, 0)).toBeUndefined();
  expect(pauseWords(60)).toBe('every hour');
  expect(pauseWords(90)).toBe('every 90 minutes');
  expect(pauseWords(2880)).toBe('every 2 days');
  expect(relatedTitle('bought-with')).toBe('Bought together');
  expect(scoreName('similar')).toBe('Cosine');
});

test('headers are read line by line', () => {
  expect(headersOf('Authorization: Bearer a:b\n\n X-Shop : 1 ')).toEqual({ headers: { Authorization: 'Bearer a:b', 'X-Shop': '1' } });
  expect(headersOf('nothing')).toHaveProperty('wrong');
});

test('a draft leaves out what it does not say', () => {
  expect(bodyOf({ ...draftOf(), url: ' http://shop/feed.csv ', fields: { id: 'code', name: ' ' } }, {})).toEqual({
    url: 'http://shop/feed.csv',
    format: 'csv',
    everyMinutes: 60,
    gone: 'sold-out',
    fields: { id: 'code' },
  });
});
