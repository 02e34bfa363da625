import { describe, expect, it } from 'vitest';
import { records, spendFaults } from './spendCsv';

describe('records', () => {
  it('counts the lines that it passes', () => {
    expect(records('\uFEFFday,amount\r\n\r\n2026-11-01,5\n"a\nb",6\n2026-11-02,7')).toEqual([
      { line: 1, text: 'day,amount' },
      { line: 3, text: '2026-11-01,5' },
      { line: 4, text: '"a\nb",6' },
      { line: 6, text: '2026-11-02,7' },
    ]);
  });

  it('has none of an empty text', () => {
    expect(records('\n\n')).toEqual([]);
  });
});

describe('spendFaults', () => {
  const csv = 'day,channel,amount,currency\n2026-11-01,search,5,EUR\n\n2026-11-01,search,5,EUR\n';
  it('names the line and the field', () => {
    expect(spendFaults(csv, [{ location: 'rows[0].amount', message: 'must be a number' }])).toEqual([
      { line: 2, text: '2026-11-01,search,5,EUR', field: 'amount', rule: 'must be a number' },
    ]);
  });

  it('names the other line of a pair', () => {
    expect(spendFaults(csv, [{ location: 'rows[1]', message: 'must differ from rows[0] in day' }])).toEqual([
      { line: 4, text: '2026-11-01,search,5,EUR', field: '', rule: 'must differ from line 2 in day' },
    ]);
  });

  it('keeps what is about no row', () => {
    expect(spendFaults(csv, [{ location: 'header', message: 'must have the column day' }])[0]).toMatchObject({ line: 1, field: 'header' });
    expect(spendFaults('', [{ location: 'rows', message: 'must be 1 to 10000 rows' }])[0]).toMatchObject({ line: null, field: 'rows' });
    expect(spendFaults(csv, [{ location: 'rows[9].day', message: 'must be a day' }])[0]).toMatchObject({ line: null, field: 'day' });
  });
});
