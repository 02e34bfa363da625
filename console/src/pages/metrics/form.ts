import type { MetricBody } from '../../api/types';
import { canCap, hasWindow, readsProperty, type Kind } from './words';

type Condition = NonNullable<MetricBody['filter']>[number];

/** One condition on a property as it is typed. */
export interface ConditionText {
  readonly property: string;
  readonly operator: Condition['operator'];
  readonly value: string;
}

/** A metric as it is typed. */
export interface MetricText {
  readonly name: string;
  readonly description: string;
  readonly owner: string;
  readonly kind: Kind;
  readonly event: string;
  readonly filter: readonly ConditionText[];
  readonly property: string;
  readonly windowFromHours: number;
  readonly windowHours: number;
  readonly direction: 'increase' | 'decrease';
  readonly marginPercent: number;
  readonly denominator: string;
  readonly denominatorProperty: string;
  readonly subtractContactCost: boolean;
  readonly capKind: 'none' | 'value' | 'quantile';
  readonly cap: number;
  readonly ignoreZeros: boolean;
  readonly level: number;
  readonly quantileOf: 'people' | 'events';
  readonly fromDays: number;
  readonly toDays: number;
  /** Events of a funnel, one a line. */
  readonly steps: string;
  readonly rest: Partial<MetricBody>;
}

export const emptyMetric: MetricText = {
  name: '',
  description: '',
  owner: '',
  kind: 'proportion',
  event: '',
  filter: [],
  property: '',
  windowFromHours: 0,
  windowHours: 336,
  direction: 'increase',
  marginPercent: 0,
  denominator: 'decisions',
  denominatorProperty: '',
  subtractContactCost: false,
  capKind: 'none',
  cap: 0.99,
  ignoreZeros: false,
  level: 0.9,
  quantileOf: 'people',
  fromDays: 7,
  toDays: 14,
  steps: '',
  rest: {},
};

const lists: ReadonlySet<string> = new Set(['in', 'notIn']);
const without: ReadonlySet<string> = new Set(['exists', 'missing']);

function typed(text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === 'true') return true;
  if (trimmed === 'false') return false;
  return trimmed !== '' && Number.isFinite(Number(trimmed)) ? Number(trimmed) : trimmed;
}

function conditionText(condition: Condition): ConditionText {
  const { value } = condition;
  return { property: condition.property, operator: condition.operator, value: value === undefined || value === null ? '' : Array.isArray(value) ? value.map(String).join(', ') : String(value) };
}

function conditionOf(condition: ConditionText): Condition {
  const { operator } = condition;
  const property = condition.property.trim();
  if (without.has(operator)) return { property, operator };
  if (lists.has(operator)) return { property, operator, value: condition.value.split(',').map(typed).filter((each) => each !== '') };
  if (operator === 'contains' || operator === 'startsWith') return { property, operator, value: condition.value };
  return { property, operator, value: typed(condition.value) };
}

/** A metric as its form shows it. */
export function textOf(metric: MetricBody): MetricText {
  const { name, description, owner, kind, event, filter, property, windowFromHours, windowHours, direction, margin, denominator, denominatorProperty, subtractContactCost, cap, quantile, fromDays, toDays, steps, ...rest } = metric;
  return {
    ...emptyMetric,
    name: name ?? '',
    description: description ?? '',
    owner: owner ?? '',
    kind,
    event: event ?? '',
    filter: (filter ?? []).map(conditionText),
    property: property ?? '',
    windowFromHours: windowFromHours ?? 0,
    windowHours: windowHours ?? 336,
    direction: direction ?? (kind === 'time-to-event' ? 'decrease' : 'increase'),
    marginPercent: Number(((margin ?? 0) * 100).toFixed(6)),
    denominator: denominator ?? 'decisions',
    denominatorProperty: denominatorProperty ?? '',
    subtractContactCost: subtractContactCost ?? false,
    capKind: cap === undefined ? 'none' : cap.value !== undefined && cap.value > 0 ? 'value' : 'quantile',
    cap: cap?.value !== undefined && cap.value > 0 ? cap.value : (cap?.quantile ?? 0.99),
    ignoreZeros: (cap?.ignoreZeros ?? false) || (quantile?.ignoreZeros ?? false),
    level: quantile?.level ?? 0.9,
    quantileOf: quantile?.of ?? 'people',
    fromDays: fromDays ?? 7,
    toDays: toDays ?? 14,
    steps: (steps ?? []).map((step) => step.event).join('\n'),
    // Filters of steps have no form: they are kept as they are.
    rest: { ...rest, ...(steps === undefined ? {} : { steps }) },
  };
}

const served = ['createdAt', 'key', 'updatedAt', 'updatedBy', 'version'] as const;

/** The metric as the API takes it: only what its kind has. */
export function metricOf(text: MetricText): MetricBody {
  const { steps: keptSteps, ...others } = text.rest;
  const rest: Partial<Record<string, unknown>> = { ...others };
  for (const field of served) delete rest[field];
  const { kind } = text;
  const filtered = new Map((keptSteps ?? []).map((step) => [step.event, step]));
  const cap = text.capKind === 'value' ? { value: text.cap } : { quantile: text.cap, ...(text.ignoreZeros ? { ignoreZeros: true } : {}) };
  return {
    ...rest,
    kind,
    name: text.name.trim(),
    ...(text.description.trim() === '' ? {} : { description: text.description.trim() }),
    ...(text.owner.trim() === '' ? {} : { owner: text.owner.trim() }),
    ...(kind === 'funnel' ? {} : { event: text.event.trim() }),
    ...(kind === 'funnel' || text.filter.length === 0 ? {} : { filter: text.filter.map(conditionOf) }),
    ...(readsProperty(kind) && text.property.trim() !== '' ? { property: text.property.trim() } : {}),
    ...(hasWindow(kind) ? { windowHours: text.windowHours, ...(text.windowFromHours > 0 ? { windowFromHours: text.windowFromHours } : {}) } : { fromDays: text.fromDays, toDays: text.toDays }),
    direction: text.direction,
    ...(text.marginPercent > 0 ? { margin: Number((text.marginPercent / 100).toFixed(8)) } : {}),
    ...(kind === 'ratio' ? { denominator: text.denominator.trim(), ...(text.denominatorProperty.trim() === '' ? {} : { denominatorProperty: text.denominatorProperty.trim() }) } : {}),
    ...(text.subtractContactCost && (kind === 'mean' || kind === 'ratio') ? { subtractContactCost: true } : {}),
    ...(canCap(kind) && text.capKind !== 'none' ? { cap } : {}),
    ...(kind === 'quantile' ? { quantile: { level: text.level, of: text.quantileOf, ...(text.ignoreZeros && text.quantileOf === 'people' ? { ignoreZeros: true } : {}) } } : {}),
    ...(kind === 'funnel'
      ? {
          steps: text.steps
            .split('\n')
            .map((event) => event.trim())
            .filter((event) => event !== '')
            .map((event) => filtered.get(event) ?? { event }),
        }
      : {}),
  };
}

/** What is still missing, in words. */
export function missingIn(text: MetricText): readonly string[] {
  const open: string[] = [];
  if (text.name.trim() === '') open.push('Give it a name.');
  if (text.kind === 'funnel') {
    if (text.steps.split('\n').filter((step) => step.trim() !== '').length < 2) open.push('A funnel has two steps or more, one a line.');
  } else if (text.event.trim() === '') open.push('Say which event counts.');
  if (text.kind === 'retention' && !(text.toDays > text.fromDays)) open.push('The last day comes after the first.');
  if (text.kind === 'ratio' && text.denominator !== 'decisions' && text.denominator.replace(/^event:/, '').trim() === '') open.push('Say which event it is divided by.');
  if (text.filter.some(({ property }) => property.trim() === '')) open.push('Each condition names a property.');
  return open;
}
