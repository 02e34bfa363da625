import { describe, expect, it } from 'vitest';
import { fieldName, guessRows, mappingFindings, mappingText, rowProblems, targets, type MappingRow } from './mapping';

const row = (change: Partial<MappingRow>): MappingRow => ({ source: 'file', value: 'a', target: 'userId', type: '', layout: '', required: false, ...change });

describe('fieldName', () => {
  it.each([
    ['Card number', 'cardNumber'],
    ['E-mail', 'eMail'],
    ['CITY', 'city'],
    ['order.total', 'orderTotal'],
    ['Город', 'город'],
    ['***', ''],
  ])('%s becomes %s', (column, name) => {
    expect(fieldName(column)).toBe(name);
  });
});

describe('guessRows', () => {
  it('knows the columns of a list of customers', () => {
    const preview = { columns: ['Customer', 'E-mail', 'Name', 'Visits', 'Newsletter', 'Zip code'], rows: [['1001', 'a@example.org', 'Anna', '12', 'yes', '01234']], delimiter: ';' };
    const rows = guessRows('profiles', preview);
    expect(rows.map(({ target, type }) => [target, type])).toEqual([
      ['userId', ''],
      ['traits.email', ''],
      ['traits.name', ''],
      ['traits.visits', 'number'],
      ['traits.newsletter', 'boolean'],
      ['traits.zipCode', ''],
    ]);
    expect(rows[0]?.required).toBe(true);
  });
  it('asks for the event where the file names none', () => {
    const rows = guessRows('events', { columns: ['customer', 'at', 'order.total'], rows: [['1', '2026-03-01', '59.9']], delimiter: '' });
    expect(rows.map(({ source, target, type }) => [source, target, type])).toEqual([
      ['file', 'userId', ''],
      ['file', 'timestamp', 'time'],
      ['file', 'properties.revenue', ''],
      ['fixed', 'event', ''],
    ]);
  });
  it('gives no two columns the same field', () => {
    const rows = guessRows('profiles', { columns: ['name', 'Name'], rows: [], delimiter: ',' });
    expect(rows.map(({ target }) => target)).toEqual(['traits.name', '']);
  });
});

describe('mappingText', () => {
  it('writes what the service reads', () => {
    const text = mappingText([row({ value: 'Customer', required: true }), row({ value: 'Born', target: 'traits.birthday', type: 'time', layout: '02.01.2006' }), row({ source: 'fixed', value: 'crm', target: 'traits.source' }), row({ value: 'x', target: '' })], ';');
    expect(JSON.parse(text)).toEqual({
      delimiter: ';',
      userId: { from: 'Customer', required: true },
      traits: { birthday: { from: 'Born', type: 'time', layout: '02.01.2006' }, source: { const: 'crm' } },
    });
  });
});

describe('rowProblems', () => {
  it('finds what stands twice, nowhere, and without a value', () => {
    const rows = [row({}), row({ value: 'b' }), row({ target: 'price' }), row({ target: 'event', source: 'fixed', value: '' }), row({ target: 'traits.' }), row({ target: '' })];
    expect(rowProblems('profiles', rows).map((each) => each.split(' ')[0])).toEqual(['is', 'is', 'must', 'must', 'must', '']);
    expect(rowProblems('events', [row({ target: 'event', source: 'fixed', value: '' })])).toEqual(['needs its value']);
  });
});

describe('targets', () => {
  it('offers the fields of the kind', () => {
    expect(targets('items', ['Colour'])).toContain('attributes.colour');
    expect(targets('items', ['Colour'])).not.toContain('traits.colour');
  });
});

describe('mappingFindings', () => {
  it('puts each line at its field', () => {
    const { byTarget, rest } = mappingFindings([
      { location: 'mapping', message: 'the mapping is wrong:\ntraits.born: layout "x" has nothing of a time in it\nuserId, anonymousId or externalIds is required: who the row is about' },
      { location: 'kind', message: 'must be one of profiles, events, items' },
    ]);
    expect([...byTarget]).toEqual([['traits.born', 'layout "x" has nothing of a time in it']]);
    expect(rest).toEqual([
      { location: 'mapping', message: 'userId, anonymousId or externalIds is required: who the row is about' },
      { location: 'kind', message: 'must be one of profiles, events, items' },
    ]);
  });
});
