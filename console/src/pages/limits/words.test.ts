import { expect, test } from 'vitest';
import { capWords, hoursWords, listOf, quietWords } from './words';

test('a cap is said in words', () => {
  expect(capWords({ limit: 3, hours: 168, class: 'advertising' })).toBe('at most 3 advertising contacts in any 7 days');
  expect(capWords({ limit: 1, calendar: 'day', class: 'all', channels: ['sms'], tags: ['sale', 'news'] })).toBe('at most 1 contacts on sms tagged sale or news in a day by the calendar');
});

test('hours are days where they come out even', () => {
  expect([1, 24, 36, 48].map(hoursWords)).toEqual(['hour', '24 hours', '36 hours', '2 days']);
});

test('quiet hours are said in words', () => {
  expect(quietWords({ from: '21:00', to: '09:00' })).toBe('21:00 to 09:00: contacts wait for the end');
  expect(quietWords({ from: '00:00', to: '00:00', days: ['sunday'], countries: ['FR'], channels: ['sms'], action: 'drop' })).toBe('sunday, all day from 00:00 in FR on sms: the channel is not used');
});

test('a list is read without repetitions', () => {
  expect(listOf(' a, b,,a ')).toEqual(['a', 'b']);
});
