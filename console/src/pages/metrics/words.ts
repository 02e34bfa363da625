import type { MetricBody } from '../../api/types';
import { windowOf } from '../../format/time';

/** What each kind of metric says of people. */
export const kinds = [
  { value: 'proportion', label: 'Share of people', about: 'Who did the event at least once' },
  { value: 'count', label: 'Number of events', about: 'How often each person did it' },
  { value: 'mean', label: 'Sum of a property', about: 'Added up for each person, averaged over people' },
  { value: 'revenue', label: 'Revenue', about: 'Money for each person' },
  { value: 'margin', label: 'Margin', about: 'Money less what contacts cost' },
  { value: 'ratio', label: 'Ratio', about: 'One sum over another, such as an average order' },
  { value: 'quantile', label: 'Quantile', about: 'Such as the 90th percentile' },
  { value: 'retention', label: 'Retention', about: 'Who came back between two days' },
  { value: 'funnel', label: 'Funnel', about: 'Who did all steps in their order' },
  { value: 'time-to-event', label: 'Time to an event', about: 'Hours until it happened' },
] as const;

export type Kind = (typeof kinds)[number]['value'];

export function kindLabel(kind: string): string {
  return kinds.find(({ value }) => value === kind)?.label ?? kind;
}

/** Whether a kind reads a numeric property of its event. */
export function readsProperty(kind: string): boolean {
  return ['mean', 'revenue', 'margin', 'ratio', 'quantile'].includes(kind);
}

/** Whether what single people sum up to can be cut to a bound. */
export function canCap(kind: string): boolean {
  return ['count', 'mean', 'revenue', 'margin', 'ratio'].includes(kind);
}

/** Whether a kind has a window of hours; retention has days of its own. */
export function hasWindow(kind: string): boolean {
  return kind !== 'retention';
}

function quoted(name: string | undefined): string {
  return name === undefined || name === '' ? 'an event' : `“${name}”`;
}

function measured(metric: MetricBody): string {
  const event = quoted(metric.event);
  const property = metric.property === undefined || metric.property === '' ? '' : metric.property;
  switch (metric.kind as string) {
    case 'proportion':
      return `Share of people with ${event}`;
    case 'count':
      return `${event} per person`;
    case 'mean':
      return property === '' ? `${event} per person` : `Sum of ${property} in ${event}, per person`;
    case 'revenue':
      return `Money (${property || 'revenue'}) of ${event}, per person`;
    case 'margin':
      return `Margin (${property || 'margin'}) of ${event}, per person, less what contacts cost`;
    case 'ratio': {
      const over = metric.denominator ?? 'decisions';
      const below = over.startsWith('event:') ? quoted(over.slice('event:'.length)) : 'decision';
      return `${property === '' ? event : `Sum of ${property} in ${event}`} for each ${below}`;
    }
    case 'quantile': {
      const level = metric.quantile?.level;
      const rank = level === undefined ? 'A percentile' : `The ${ordinal(Math.round(level * 1000) / 10)} percentile`;
      return metric.quantile?.of === 'events' ? `${rank} of ${property || 'single events'} in ${event}` : `${rank} of what people sum up to (${property || 'events'} of ${event})`;
    }
    case 'retention':
      return `Share of people with ${event} from day ${(metric.fromDays ?? 0).toString()} to day ${(metric.toDays ?? 0).toString()} after the first exposure`;
    case 'funnel':
      return `Share of people who did ${(metric.steps ?? []).map(({ event: step }) => quoted(step)).join(', then ')}`;
    case 'time-to-event':
      return `Mean hours until ${event}`;
    default:
      return event;
  }
}

function ordinal(value: number): string {
  const last = Number.isInteger(value) ? value % 10 : 0;
  const teen = value % 100 >= 11 && value % 100 <= 13;
  return `${value.toString()}${teen ? 'th' : last === 1 ? 'st' : last === 2 ? 'nd' : last === 3 ? 'rd' : 'th'}`;
}

const operators: Readonly<Record<string, string>> = {
  eq: 'is',
  ne: 'is not',
  gt: 'is above',
  gte: 'is at least',
  lt: 'is below',
  lte: 'is at most',
  in: 'is one of',
  notIn: 'is none of',
  contains: 'contains',
  startsWith: 'begins with',
  exists: 'is there',
  missing: 'is missing',
};

/** Operators of a condition with their words. */
export const operatorChoices = Object.entries(operators).map(([value, label]) => ({ value, label }));

function conditionWords(condition: { readonly property: string; readonly operator: string; readonly value?: unknown }): string {
  const value = condition.value === undefined ? '' : ` ${Array.isArray(condition.value) ? condition.value.join(', ') : String(condition.value)}`;
  return `${condition.property} ${operators[condition.operator] ?? condition.operator}${value}`;
}

/** A metric in one sentence, as somebody would tell it. */
export function metricWords(metric: MetricBody): string {
  const filter = (metric.filter ?? []).map(conditionWords);
  const where = filter.length === 0 ? '' : ` where ${filter.join(' and ')}`;
  const from = metric.windowFromHours ?? 0;
  const window = !hasWindow(metric.kind)
    ? ''
    : from > 0
      ? `, from ${windowOf(from)} to ${windowOf(metric.windowHours ?? 336)} after the first exposure`
      : `, within ${windowOf(metric.windowHours ?? 336)} after the first exposure`;
  const cap = metric.cap;
  const cut =
    cap === undefined
      ? ''
      : cap.value !== undefined && cap.value > 0
        ? `, at most ${cap.value.toString()} a person`
        : cap.quantile !== undefined
          ? `, cut at the ${ordinal(Math.round(cap.quantile * 1000) / 10)} percentile`
          : '';
  return `${measured(metric)}${where}${window}${cut}.`;
}
