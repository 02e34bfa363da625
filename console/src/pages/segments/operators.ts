import type { NamedKind, Operator } from './rule';

/** How the value of an operator is given. */
export type ValueForm = 'none' | 'scalar' | 'list' | 'number' | 'pair' | 'text' | 'date' | 'span';

export interface OperatorWords {
  readonly op: Operator;
  /** Between the name and the value of a condition. */
  readonly words: string;
  readonly form: ValueForm;
}

const operators: readonly OperatorWords[] = [
  { op: 'exists', words: 'is known', form: 'none' },
  { op: 'missing', words: 'is not known', form: 'none' },
  { op: 'eq', words: 'is', form: 'scalar' },
  { op: 'ne', words: 'is not', form: 'scalar' },
  { op: 'in', words: 'is one of', form: 'list' },
  { op: 'notIn', words: 'is none of', form: 'list' },
  { op: 'lt', words: 'is less than', form: 'number' },
  { op: 'lte', words: 'is at most', form: 'number' },
  { op: 'gt', words: 'is more than', form: 'number' },
  { op: 'gte', words: 'is at least', form: 'number' },
  { op: 'between', words: 'is between', form: 'pair' },
  { op: 'contains', words: 'contains', form: 'text' },
  { op: 'startsWith', words: 'begins with', form: 'text' },
  { op: 'endsWith', words: 'ends with', form: 'text' },
  { op: 'before', words: 'is before', form: 'date' },
  { op: 'after', words: 'is from, or after,', form: 'date' },
  { op: 'withinLast', words: 'is within the last', form: 'span' },
  { op: 'olderThan', words: 'is longer ago than', form: 'span' },
  { op: 'withinNext', words: 'is within the next', form: 'span' },
  { op: 'anniversaryWithin', words: 'has its anniversary within the next', form: 'span' },
];

const byOp = new Map(operators.map((each) => [each.op, each]));

/** The words and the kind of value of an operator; of one that is not known, its own name. */
export function operatorWords(op: Operator): OperatorWords {
  return byOp.get(op) ?? { op, words: op, form: 'scalar' };
}

const pick = (...ops: readonly Operator[]) => operators.filter((each) => ops.includes(each.op));

/** Operators about the time of an event. */
export const instantOperators = pick('before', 'after', 'withinLast', 'olderThan');
/** Operators about a sum, an average or a count. */
export const numberOperators = pick('eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'between');
/** Operators about properties of events, which are not read as dates. */
export const propertyOperators = operators.filter(({ form }) => form !== 'date' && form !== 'span');
const textOperators = pick('exists', 'missing', 'eq', 'ne', 'in', 'notIn', 'contains', 'startsWith', 'endsWith');

/** The operators that make sense for a condition. */
export function operatorsFor(kind: NamedKind, name: string): readonly OperatorWords[] {
  if (kind === 'identifier') return textOperators;
  if (kind === 'profile') return name === 'eventCount' ? numberOperators : instantOperators;
  return operators;
}

/** A value to begin with when the operator changes: what was there, when it fits. */
export function fittingValue(form: ValueForm, value: unknown): unknown {
  switch (form) {
    case 'none':
      return undefined;
    case 'list':
      return Array.isArray(value) ? value : value === undefined || value === '' ? [] : [value];
    case 'pair':
      return Array.isArray(value) && value.length === 2 ? value : [null, null];
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'span':
      return typeof value === 'string' && isSpan(value) ? value : '30d';
    case 'scalar':
      return Array.isArray(value) ? (value[0] ?? '') : (value ?? '');
    default:
      return typeof value === 'string' && !isSpan(value) ? value : '';
  }
}

const spanPattern = /^(\d+)([mhdw])$/;

export function isSpan(value: string): boolean {
  return spanPattern.test(value);
}

const units: Readonly<Record<string, string>> = { m: 'minute', h: 'hour', d: 'day', w: 'week' };

/** A span in words: 30d is "30 days". */
export function spanWords(span: unknown): string {
  const match = typeof span === 'string' ? spanPattern.exec(span) : null;
  const [, number = '', unit = ''] = match ?? [];
  if (match === null) return typeof span === 'string' && span !== '' ? span : '…';
  return `${number} ${units[unit] ?? unit}${number === '1' ? '' : 's'}`;
}
