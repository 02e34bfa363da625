import { expect, it } from 'vitest';
import { boundFaults, emptyField, fieldsOf, fieldTexts, schemaWords } from './schemaForm';

const fields = {
  'properties.revenue': { required: true, type: 'number' as const, min: 0 },
  'properties.currency': { type: 'text' as const, allowed: ['EUR', 'RUB'], pattern: '[A-Z]{3}' },
};

it('a schema comes back from its form as it went in', () => expect(fieldsOf(fieldTexts({ fields }))).toEqual(fields));

it('allowed values take the type of the field', () =>
  expect(fieldsOf([{ ...emptyField, path: ' a ', type: 'number', allowed: '1, 2.5' }])).toEqual({ a: { type: 'number', allowed: [1, 2.5] } }));

it('rows without a path are left out', () => expect(fieldsOf([emptyField])).toEqual({}));

it('a bound that is no number is found', () => {
  expect([...boundFaults([emptyField, { ...emptyField, min: 'ten' }])]).toEqual([[1, 'ten is no number']]);
  expect(boundFaults([{ ...emptyField, min: '-1', max: '1e3' }]).size).toBe(0);
});

it('is counted in words', () => expect(schemaWords(fields)).toBe('2 fields, 1 required'));
