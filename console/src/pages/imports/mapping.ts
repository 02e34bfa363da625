import type { ImportKind } from '../../api/imports';
import type { Finding } from '../../api/problem';
import type { Preview } from './preview';

/** Where one value of each row comes from and what it becomes. */
export interface MappingRow {
  /** A column or path; or a text that is the same for every row. */
  readonly source: 'file' | 'fixed';
  readonly value: string;
  /** userId, traits.email …; empty when the value is left out. */
  readonly target: string;
  readonly type: string;
  readonly layout: string;
  readonly required: boolean;
}

export const types = ['', 'string', 'number', 'integer', 'boolean', 'time', 'json'] as const;

const single: Readonly<Record<ImportKind, readonly string[]>> = {
  profiles: ['userId', 'anonymousId', 'timestamp', 'messageId'],
  events: ['userId', 'anonymousId', 'event', 'timestamp', 'messageId'],
  items: ['key', 'name', 'category', 'price', 'cost', 'stock', 'imageUrl'],
};

const groups: Readonly<Record<ImportKind, readonly string[]>> = {
  profiles: ['traits', 'externalIds', 'context'],
  events: ['properties', 'externalIds', 'context'],
  items: ['attributes'],
};

// By kind, what a column of such a name most likely is. Only guesses: the form
// shows each of them beside examples.
const guesses: Readonly<Record<ImportKind, readonly (readonly [RegExp, string])[]>> = {
  profiles: [
    [/^(user|customer|client|member|contact)?[ _-]?id$|^(customer|user|client)$/i, 'userId'],
    [/^anonymous[ _-]?id$/i, 'anonymousId'],
    [/^e-?mail([ _-]?address)?$/i, 'traits.email'],
    [/^(tele)?phone([ _-]?number)?$|^mobile$/i, 'traits.phone'],
    [/^(loyalty[ _-]?)?card([ _-]?(number|no|id))?$/i, 'externalIds.card'],
    [/^(updated|changed|modified)[ _-]?at$/i, 'timestamp'],
  ],
  events: [
    [/^(user|customer|client|member|contact)[ _-]?id$|^(customer|user|client)$/i, 'userId'],
    [/^anonymous[ _-]?id$/i, 'anonymousId'],
    [/^event([ _-]?(name|type))?$/i, 'event'],
    [/^(time|timestamp|date|datetime|at|created[ _-]?at|occurred[ _-]?at|event[ _-]?time)$/i, 'timestamp'],
    [/^(message|event|order|receipt|transaction)[ _-]?id$|^order\.id$/i, 'messageId'],
    [/^e-?mail([ _-]?address)?$/i, 'externalIds.email'],
    [/^(loyalty[ _-]?)?card([ _-]?(number|no|id))?$/i, 'externalIds.card'],
    [/(^|[ ._-])(total|revenue|amount|sum)$/i, 'properties.revenue'],
  ],
  items: [
    [/^(key|sku|id|(item|product)[ _-]?id)$/i, 'key'],
    [/^(name|title|product)$/i, 'name'],
    [/^category$/i, 'category'],
    [/^price$/i, 'price'],
    [/^cost$/i, 'cost'],
    [/^(stock|quantity|inventory)$/i, 'stock'],
    [/^image([ _-]?url)?$/i, 'imageUrl'],
  ],
};

/** Names that a value may become; behind those with a dot goes a name of one's own. */
export function targets(kind: ImportKind, columns: readonly string[]): readonly string[] {
  const own = columns.flatMap((column) => groups[kind].map((group) => `${group}.${fieldName(column)}`));
  return [...single[kind], ...new Set(own.filter((name) => !name.endsWith('.')))];
}

/** The name of a field made of that of a column: "Card number" becomes cardNumber. */
export function fieldName(column: string): string {
  const words = column.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
  return words
    .map((word, index) => {
      const plain = word === word.toUpperCase() ? word.toLowerCase() : word;
      return index === 0 ? plain.charAt(0).toLowerCase() + plain.slice(1) : plain.charAt(0).toUpperCase() + plain.slice(1);
    })
    .join('');
}

/** What each column most likely becomes. */
export function guessRows(kind: ImportKind, preview: Preview): MappingRow[] {
  const taken = new Set<string>();
  const rows = preview.columns.map((column, index): MappingRow => {
    const guessed = guesses[kind].find(([pattern, target]) => pattern.test(column) && !taken.has(target))?.[1];
    const name = fieldName(column);
    let target = guessed ?? (name === '' ? '' : `${groups[kind][0] ?? ''}.${name}`);
    if (taken.has(target)) target = '';
    taken.add(target);
    const examples = preview.rows.map((row) => row[index] ?? '');
    return { source: 'file', value: column, target, type: guessType(target, examples, preview.delimiter !== ''), layout: '', required: target === 'userId' || target === 'key' };
  });
  if (kind === 'events' && !taken.has('event')) rows.push({ source: 'fixed', value: '', target: 'event', type: '', layout: '', required: false });
  return rows;
}

function guessType(target: string, examples: readonly string[], texts: boolean): string {
  if (target === 'timestamp') return 'time';
  if (target === 'price' || target === 'cost') return texts ? 'number' : '';
  const group = target.split('.')[0] ?? '';
  const measured = group === 'traits' || group === 'properties' || group === 'attributes';
  const given = examples.filter((example) => example !== '');
  // Values of JSON have types; a leading zero or plus belongs to a number that names something.
  if (!texts || !measured || given.length === 0 || /phone|zip|postal|code|card/i.test(target)) return '';
  if (given.every((example) => /^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(example))) return 'number';
  if (given.every((example) => /^(yes|no|true|false)$/i.test(example))) return 'boolean';
  return '';
}

/** The mapping as the service reads it: JSON, which is YAML as well. */
export function mappingText(rows: readonly MappingRow[], delimiter: string): string {
  const mapping: Record<string, unknown> = {};
  if (delimiter !== '' && delimiter !== ',') mapping['delimiter'] = delimiter;
  for (const row of rows) {
    const target = row.target.trim();
    if (target === '') continue;
    const field = {
      ...(row.source === 'file' ? { from: row.value } : { const: row.value }),
      ...(row.type === '' ? {} : { type: row.type }),
      ...(row.type === 'time' && row.layout !== '' ? { layout: row.layout } : {}),
      ...(row.required ? { required: true } : {}),
    };
    const dot = target.indexOf('.');
    if (dot < 0) {
      mapping[target] = field;
      continue;
    }
    const group = target.slice(0, dot);
    const inside = (mapping[group] ?? {}) as Record<string, unknown>;
    inside[target.slice(dot + 1)] = field;
    mapping[group] = inside;
  }
  return JSON.stringify(mapping, null, 2);
}

/** What is wrong before anything is sent, by row. */
export function rowProblems(kind: ImportKind, rows: readonly MappingRow[]): readonly string[] {
  const times = new Map<string, number>();
  for (const { target } of rows) times.set(target.trim(), (times.get(target.trim()) ?? 0) + 1);
  return rows.map(({ target, source, value }) => {
    const name = target.trim();
    if (name === '') return '';
    if ((times.get(name) ?? 0) > 1) return 'is there twice';
    const dot = name.indexOf('.');
    if (dot < 0 ? !single[kind].includes(name) : !groups[kind].includes(name.slice(0, dot)) || dot === name.length - 1) {
      return `must be one of ${[...single[kind], ...groups[kind].map((group) => `${group}.…`)].join(', ')}`;
    }
    if (value === '') return source === 'fixed' ? 'needs its value' : 'needs a column or path';
    return '';
  });
}

/** The words of the service about a mapping: by field, and those about none. */
export function mappingFindings(findings: readonly Finding[]): { readonly byTarget: ReadonlyMap<string, string>; readonly rest: readonly Finding[] } {
  const byTarget = new Map<string, string>();
  const rest: Finding[] = [];
  for (const finding of findings) {
    if (finding.location !== 'mapping') {
      rest.push(finding);
      continue;
    }
    for (const line of finding.message.replace(/^the mapping is wrong:\n/, '').split('\n')) {
      const match = /^([A-Za-z]+(?:\.[^:]+)?): (.+)$/.exec(line);
      if (match?.[1] !== undefined && match[2] !== undefined) byTarget.set(match[1], match[2]);
      else rest.push({ location: 'mapping', message: line });
    }
  }
  return { byTarget, rest };
}
