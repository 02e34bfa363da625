import { expect, test } from 'vitest';
import { destination, driverName, stateTone } from './words';

test('a driver is named, and an unknown one is shown as it is', () => {
  expect(driverName('smpp')).toBe('SMS (SMPP 3.4)');
  expect(driverName('pigeon')).toBe('pigeon');
});

test('a cascade reads as a sentence', () => {
  const config = { driver: 'cascade' as const, cascade: { steps: [{ channel: 'telegram', wait: '4h' }, { channel: 'sms' }] } };
  expect(destination({ config })).toBe('telegram, wait 4h, else sms');
});

test('what failed stands out', () => {
  expect(stateTone('failed')).toBe('worse');
  expect(stateTone('sent')).toBe('better');
});
