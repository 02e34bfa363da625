import type { MetricKey, PeriodKey } from '../../api/experience';
import type { ExperienceRow } from '../../api/types';
import { count, fixed, noFigure, percent, signed } from '../../format/number';

interface MetricShape {
  readonly name: string;
  /** What it is in a few words. */
  readonly note: string;
  format(value: number): string;
  /** What the figure of a row is made of. */
  parts(part: (name: string) => number): string;
}

const share = (value: number) => percent(value, 1);
const money = (value: number) => fixed(value, 2);
const some = (n: number, one: string, many: string) => `${count(n)} ${n === 1 ? one : many}`;
const invalid = (n: number) => (n > 0 ? `, ${count(n)} outside of their scale left out` : '');

export const metricShapes: Readonly<Record<MetricKey, MetricShape>> = {
  nps: {
    name: 'Net promoter score',
    note: 'points',
    format: (value) => signed(value, 1),
    parts: (part) =>
      `${some(part('promoters'), 'promoter', 'promoters')}, ${count(part('passives'))} passive, ${some(part('detractors'), 'detractor', 'detractors')}${invalid(part('invalid'))}`,
  },
  csat: {
    name: 'Satisfaction (CSAT)',
    note: 'satisfied answers',
    format: share,
    parts: (part) => `${count(part('satisfied'))} satisfied of ${some(part('answers'), 'answer', 'answers')}${invalid(part('invalid'))}`,
  },
  ces: {
    name: 'Effort (CES)',
    note: 'mean answer, 1 to 7',
    format: (value) => fixed(value, 2),
    parts: (part) => `${some(part('answers'), 'answer', 'answers')}${invalid(part('invalid'))}`,
  },
  retention: {
    name: 'Retention',
    note: 'ordered in the period before and again',
    format: share,
    parts: (part) => `${count(part('returned'))} again of ${some(part('before'), 'customer', 'customers')} of the period before`,
  },
  churn: {
    name: 'Churn',
    note: 'active at the start, not at the end',
    format: share,
    parts: (part) => `${count(part('lost'))} of ${count(part('activeAtStart'))} active at the start`,
  },
  gained: {
    name: 'Gained',
    note: 'customers with their first order',
    format: count,
    parts: (part) => `${count(part('gainedAndActive'))} of them active at the end; ${count(part('activeAtEnd'))} active in all`,
  },
  lost: {
    name: 'Lost',
    note: 'customers no longer active',
    format: count,
    parts: (part) =>
      `of ${count(part('activeAtStart'))} active at the start; ${count(part('returned'))} returned, ${count(part('activeAtEnd'))} active at the end`,
  },
  'average-order': {
    name: 'Average order',
    note: 'revenue by orders',
    format: money,
    parts: (part) => `${count(part('revenue'))} by ${some(part('orders'), 'order', 'orders')} of ${some(part('customers'), 'customer', 'customers')}`,
  },
  'acquisition-cost': {
    name: 'Acquisition cost',
    note: 'marketing spend by new customers',
    format: money,
    parts: (part) => `${Number.isNaN(part('spend')) ? 'no spend recorded' : count(part('spend'))} by ${some(part('newCustomers'), 'new customer', 'new customers')}`,
  },
};

/** The parts of a row in words; a part that is not there is no number. */
export function partsWords(metric: MetricKey, row: ExperienceRow): string {
  return metricShapes[metric].parts((name) => row.parts[name] ?? Number.NaN);
}

/** The value of a row with its currency, if it has one. */
export function valueWords(metric: MetricKey, row: ExperienceRow): string {
  if (row.value === undefined) return noFigure;
  return `${metricShapes[metric].format(row.value)}${row.currency === undefined || row.currency === '' ? '' : ` ${row.currency}`}`;
}

/** The 95% interval of a row: "12.0% to 18.6%", with the end that is known where one is not. */
export function intervalWords(metric: MetricKey, row: ExperienceRow): string {
  const { format } = metricShapes[metric];
  if (row.lower === undefined && row.upper === undefined) return noFigure;
  if (row.upper === undefined) return `from ${format(row.lower ?? Number.NaN)}`;
  if (row.lower === undefined) return `up to ${format(row.upper)}`;
  return `${format(row.lower)} to ${format(row.upper)}`;
}

/** The rows that a card tells of: the last period that has ended and has a figure, one for each currency. */
export function latestRows(rows: readonly ExperienceRow[]): readonly ExperienceRow[] {
  const told = rows.filter((row) => row.complete && row.value !== undefined);
  const last = told.at(-1);
  return last === undefined ? [] : told.filter((row) => row.from === last.from);
}

/** The rows of each currency; of metrics without one there is one list. */
export function byCurrency(rows: readonly ExperienceRow[]): ReadonlyMap<string, readonly ExperienceRow[]> {
  const found = new Map<string, ExperienceRow[]>();
  for (const row of rows) {
    const list = found.get(row.currency ?? '');
    if (list === undefined) found.set(row.currency ?? '', [row]);
    else list.push(row);
  }
  // Periods without spend have no currency; they are gaps of the others.
  if (found.size > 1) found.delete('');
  return found;
}

const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const month = new Intl.DateTimeFormat('en-GB', { month: 'short', year: 'numeric', timeZone: 'UTC' });

/** A period by its first day: Nov 2026, week of 2 Nov 2026, 2 Nov 2026. */
export function periodWords(from: string, period: string): string {
  const start = new Date(`${from}T00:00:00Z`);
  if (period === 'month') return month.format(start);
  return period === 'week' ? `week of ${day.format(start)}` : day.format(start);
}

const reach: Readonly<Record<PeriodKey, number>> = { day: 60, week: 182, month: 365 };

/** The days that are shown unless others are asked for: enough periods to see a course. */
export function defaultRange(period: PeriodKey, now: Date): { readonly from: string; readonly to: string } {
  const to = now.toISOString().slice(0, 10);
  const first = new Date(Date.parse(`${to}T00:00:00Z`) - (reach[period] - 1) * 86_400_000);
  return { from: first.toISOString().slice(0, 10), to };
}

/** Whether a text is a day that exists. */
export function isDay(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`));
}
