import { describe, expect, it } from 'vitest';
import { formatOf, guessDelimiter, previewCsv, previewNdjson } from './preview';

describe('formatOf', () => {
  it.each([
    ['people.csv', 'csv'],
    ['people.TSV', 'csv'],
    ['orders.jsonl', 'ndjson'],
    ['orders.parquet', 'parquet'],
    ['orders.xlsx', ''],
    ['orders', ''],
  ])('%s is %s', (name, format) => {
    expect(formatOf(name)).toBe(format);
  });
});

describe('guessDelimiter', () => {
  it('takes what the header has most of', () => {
    expect(guessDelimiter('a;b;c\n1,5;2;3', 'x.csv')).toBe(';');
    expect(guessDelimiter('a,b\n', 'x.csv')).toBe(',');
    expect(guessDelimiter('a\tb\n', 'x.txt')).toBe('\t');
  });
  it('does not count within quotation marks', () => {
    expect(guessDelimiter('"a;b;c",d\n', 'x.csv')).toBe(',');
  });
});

describe('previewCsv', () => {
  it('reads quotation marks, line breaks in cells and a last line without an end', () => {
    const preview = previewCsv('\uFEFFid,text\r\n1,"a ""b""\nc"\r\n2,d', 'x.csv', false);
    expect(preview.columns).toEqual(['id', 'text']);
    expect(preview.rows).toEqual([
      ['1', 'a "b"\nc'],
      ['2', 'd'],
    ]);
  });
  it('leaves out a record that the reading cut off', () => {
    expect(previewCsv('id\n1\n23', 'x.csv', true).rows).toEqual([['1']]);
  });
  it('has no more than five rows', () => {
    expect(previewCsv('id\n1\n2\n3\n4\n5\n6\n7\n', 'x.csv', false).rows).toHaveLength(5);
  });
  it('is empty for an empty file', () => {
    expect(previewCsv('', 'x.csv', false)).toEqual({ columns: [], rows: [], delimiter: ',' });
  });
});

describe('previewNdjson', () => {
  it('shows paths into objects, and lists as they are', () => {
    const preview = previewNdjson('{"order":{"id":"o-1","lines":[1,2]},"who":7}\nno json\n{"who":8,"a.b":true}\n', false);
    expect(preview.columns).toEqual(['order.id', 'order.lines', 'who', '["a.b"]']);
    expect(preview.rows).toEqual([
      ['o-1', '[1,2]', '7', ''],
      ['', '', '8', 'true'],
    ]);
  });
});
