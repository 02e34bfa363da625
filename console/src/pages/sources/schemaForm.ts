import type { EventSchemaBody, EventSchemaField } from '../../api/types';

export const fieldTypes = ['text', 'number', 'boolean', 'date', 'list', 'object'] as const;

/** One field of a schema as it is typed. */
export interface FieldText {
  readonly path: string;
  readonly type: NonNullable<EventSchemaField['type']> | '';
  readonly required: boolean;
  readonly min: string;
  readonly max: string;
  /** Values that are taken, with commas. */
  readonly allowed: string;
  /** Kept as it came: the form does not show it. */
  readonly pattern: string;
}

export const emptyField: FieldText = { path: '', type: '', required: false, min: '', max: '', allowed: '', pattern: '' };

/** The fields of a schema by path. */
export function fieldTexts(schema: Pick<EventSchemaBody, 'fields'>): FieldText[] {
  return Object.entries(schema.fields)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([path, field]) => ({
      path,
      type: field.type ?? '',
      required: field.required ?? false,
      min: field.min?.toString() ?? '',
      max: field.max?.toString() ?? '',
      allowed: (field.allowed ?? []).map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join(', '),
      pattern: field.pattern ?? '',
    }));
}

/** What is not a number among the bounds, by the index of the row. */
export function boundFaults(rows: readonly FieldText[]): ReadonlyMap<number, string> {
  const faults = new Map<number, string>();
  rows.forEach((row, index) => {
    for (const text of [row.min, row.max]) {
      if (text.trim() !== '' && !Number.isFinite(Number(text))) faults.set(index, `${text.trim()} is no number`);
    }
  });
  return faults;
}

/** The schema's fields as the API takes them; rows without a path are left out. */
export function fieldsOf(rows: readonly FieldText[]): EventSchemaBody['fields'] {
  const fields: EventSchemaBody['fields'] = {};
  for (const row of rows) {
    const path = row.path.trim();
    if (path === '') continue;
    const allowed = row.allowed
      .split(',')
      .map((value) => value.trim())
      .filter((value) => value !== '')
      .map((value) => (row.type === 'number' ? Number(value) : row.type === 'boolean' ? value === 'true' : value));
    fields[path] = {
      ...(row.type === '' ? {} : { type: row.type }),
      ...(row.required ? { required: true } : {}),
      ...(row.min.trim() === '' ? {} : { min: Number(row.min) }),
      ...(row.max.trim() === '' ? {} : { max: Number(row.max) }),
      ...(allowed.length === 0 ? {} : { allowed }),
      ...(row.pattern === '' ? {} : { pattern: row.pattern }),
    };
  }
  return fields;
}

/** A schema's fields in words, for a list. */
export function schemaWords(fields: EventSchemaBody['fields']): string {
  const paths = Object.keys(fields);
  const required = paths.filter((path) => fields[path]?.required === true).length;
  return `${paths.length.toString()} ${paths.length === 1 ? 'field' : 'fields'}${required > 0 ? `, ${required.toString()} required` : ''}`;
}
