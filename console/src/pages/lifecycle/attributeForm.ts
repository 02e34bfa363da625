import type { NewAttribute } from '../../api/types';
import type { Finding } from '../../api/problem';

export const kinds = ['aggregate', 'counter', 'sql'] as const;
export type Kind = (typeof kinds)[number];
export const aggregates = ['count', 'sum', 'avg', 'min', 'max', 'first', 'last', 'unique'] as const;
export const operators = ['=', '!=', '<', '<=', '>', '>=', 'contains', 'exists'] as const;

/** One condition as it is typed. */
export interface ConditionText {
  readonly property: string;
  readonly is: (typeof operators)[number];
  readonly value: string;
}

/** The form as it is typed. */
export interface AttributeText {
  readonly key: string;
  readonly name: string;
  readonly description: string;
  readonly kind: Kind;
  readonly event: string;
  readonly aggregate: (typeof aggregates)[number];
  readonly property: string;
  readonly windowDays: string;
  readonly halfLifeDays: string;
  readonly where: readonly ConditionText[];
  readonly sql: string;
}

export const emptyAttribute: AttributeText = {
  key: '',
  name: '',
  description: '',
  kind: 'aggregate',
  event: 'Order Completed',
  aggregate: 'count',
  property: '',
  windowDays: '',
  halfLifeDays: '',
  where: [],
  sql: "SELECT person_id, count() AS value\nFROM events FINAL\nWHERE event = 'Order Completed'\nGROUP BY person_id",
};

function written(value: unknown): string {
  if (typeof value !== 'string') return value === undefined || value === null ? '' : JSON.stringify(value);
  return valueOf(value) === value ? value : `"${value}"`;
}

/** A definition as the form shows it. */
export function textOf(attribute: NewAttribute & { readonly key: string }): AttributeText {
  const days = (value: number | undefined) => (value === undefined || value === 0 ? '' : value.toString());
  return {
    key: attribute.key,
    name: attribute.name ?? '',
    description: attribute.description ?? '',
    kind: attribute.kind,
    event: attribute.event ?? '',
    aggregate: attribute.aggregate ?? 'count',
    property: attribute.property ?? '',
    windowDays: days(attribute.windowDays),
    halfLifeDays: days(attribute.halfLifeDays),
    where: (attribute.where ?? []).map(({ property, is, value }) => ({ property, is, value: written(value) })),
    sql: attribute.sql ?? emptyAttribute.sql,
  };
}

/** A value as it is meant: numbers and true or false are such, in quotes they are texts. */
export function valueOf(text: string): string | number | boolean {
  const trimmed = text.trim();
  if (trimmed === 'true' || trimmed === 'false') return trimmed === 'true';
  if (trimmed !== '' && Number.isFinite(Number(trimmed))) return Number(trimmed);
  const quoted = /^"(.*)"$/s.exec(trimmed);
  return quoted?.[1] ?? trimmed;
}

// What is no number is sent as it is, so that the service says what it must be.
function days(text: string): number | undefined {
  const trimmed = text.trim();
  return trimmed === '' ? undefined : Number(trimmed);
}

/** Which fields a kind has. */
export function fieldsOf({ kind, aggregate }: Pick<AttributeText, 'kind' | 'aggregate'>) {
  const events = kind !== 'sql';
  return {
    sql: !events,
    events,
    property: events && aggregate !== 'count',
    halfLife: kind === 'aggregate' && (aggregate === 'count' || aggregate === 'sum' || aggregate === 'avg'),
  };
}

/** The definition that is sent: only the fields that the kind has. */
export function attributeOf(text: AttributeText): NewAttribute {
  const fields = fieldsOf(text);
  const named = {
    kind: text.kind,
    ...(text.name.trim() === '' ? {} : { name: text.name.trim() }),
    ...(text.description.trim() === '' ? {} : { description: text.description.trim() }),
  };
  if (fields.sql) return { ...named, sql: text.sql };
  const windowDays = days(text.windowDays);
  const halfLifeDays = fields.halfLife ? days(text.halfLifeDays) : undefined;
  return {
    ...named,
    event: text.event.trim(),
    aggregate: text.aggregate,
    ...(fields.property ? { property: text.property.trim() } : {}),
    ...(windowDays === undefined ? {} : { windowDays }),
    ...(halfLifeDays === undefined ? {} : { halfLifeDays }),
    ...(text.where.length === 0
      ? {}
      : {
          where: text.where.map(({ property, is, value }) =>
            is === 'exists' ? { property: property.trim(), is } : { property: property.trim(), is, value: valueOf(value) },
          ),
        }),
  };
}

/** The messages for one field, "" without any; those of its parts are among them. */
export function messageAt(findings: readonly Finding[], field: string): string {
  return findings
    .filter(({ location }) => location === field || location === `path.${field}`)
    .map(({ message }) => message)
    .join('; ');
}

/** Findings that no field of the form shows. */
export function unplaced(findings: readonly Finding[], text: AttributeText): readonly Finding[] {
  const { sql, events, property, halfLife } = fieldsOf(text);
  const shown = new Set(['key', 'path.key', 'name', 'description', 'kind']);
  if (sql) shown.add('sql');
  if (events) for (const field of ['event', 'aggregate', 'windowDays', 'where']) shown.add(field);
  if (property) shown.add('property');
  if (halfLife) shown.add('halfLifeDays');
  if (events) {
    text.where.forEach((_, index) => {
      for (const part of ['property', 'is', 'value']) shown.add(`where[${index.toString()}].${part}`);
    });
  }
  return findings.filter(({ location }) => !shown.has(location));
}

function inDays(days: number): string {
  return days === 1 ? 'day' : `${days.toString()} days`;
}

/** A definition in one line: "sum of revenue over Order Completed, last 365 days". */
export function definitionWords(attribute: NewAttribute): string {
  if (attribute.kind === 'sql') return 'SQL';
  const { aggregate = 'count', property = '', event = '', windowDays = 0, halfLifeDays = 0 } = attribute;
  const conditions = (attribute.where ?? []).map((each) =>
    each.is === 'exists' ? `${each.property} is there` : `${each.property} ${each.is} ${JSON.stringify(each.value)}`,
  );
  return [
    aggregate === 'count' ? `count of ${event}` : `${aggregate} of ${property} over ${event}`,
    conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`,
    windowDays === 0 ? '' : `, last ${inDays(windowDays)}`,
    halfLifeDays === 0 ? '' : `, half as much after ${inDays(halfLifeDays)}`,
  ].join('');
}
