import { describe, expect, it } from 'vitest';
import { bodyOf, examples, proofWords, readDefinition, readJson, split, written } from './definition';

describe('bodyOf', () => {
  it('leaves out what the service added, and nothing else', () => {
    const body = examples[0]?.body ?? { name: '', messages: [] };
    const saved = { ...body, key: 'crm', version: 3, createdAt: '2026-01-01T00:00:00Z', updatedAt: '2026-01-01T00:00:00Z', updatedBy: 'user:a' };
    expect(bodyOf(saved)).toEqual(body);
  });
});

describe('readJson', () => {
  it('says where a text ends to be JSON', () => {
    const read = readJson('{\n  "a": 1,\n  "b": oops\n}');
    expect('wrong' in read && read.wrong).toMatch(/^is not JSON: .*/);
    expect(readJson('  ')).toEqual({ wrong: 'is empty' });
    expect(readJson('null')).toEqual({ value: null });
  });
});

describe('readDefinition', () => {
  it.each(['null', '[]', '"text"', '7'])('refuses %s', (text) => {
    expect(readDefinition(text)).toEqual({ wrong: 'must be an object: { … }' });
  });
  it('reads each example as it is written', () => {
    for (const { body } of examples) expect(readDefinition(written(body))).toEqual({ value: body });
  });
});

describe('proofWords', () => {
  it('names the header where there is one', () => {
    expect(proofWords({ auth: { kind: 'secret', header: 'X-Secret', secret: 'x' } })).toBe('a secret text in X-Secret');
    expect(proofWords({})).toBe('an API key');
  });
});

describe('split', () => {
  it('puts what is about the key at the key', () => {
    expect(split([{ location: 'path.key', message: 'taken' }, { location: 'messages[0].type', message: 'is required' }])).toEqual({
      key: 'taken',
      rest: [{ location: 'messages[0].type', message: 'is required' }],
    });
  });
});
