import type { DecisionPoint, PointBody } from '../../api/types';

type Policy = PointBody['policy'];
export type PolicyType = Policy['type'];

/** A decision point as the form has it: texts of JSON for what has parts of its own. */
export interface Draft {
  readonly name: string;
  readonly class: 'advertising' | 'service';
  readonly audience: string;
  readonly random: number;
  readonly businessAsUsual: number;
  readonly offers: readonly string[];
  readonly channels: readonly string[];
  readonly creatives: string;
  readonly spread: boolean;
  readonly withinHours: number;
  readonly type: PolicyType;
  readonly exploration: number | '';
  readonly action: string;
  /** How a bandit turns what it expects into probabilities, and how far back it looks. */
  readonly method: NonNullable<Policy['method']>;
  readonly alpha: number;
  readonly halfLifeDays: number;
  readonly exposure: readonly Bound[];
  readonly rules: string;
  readonly model: string;
  readonly treatment: NonNullable<Policy['treatment']>;
  readonly where: string;
  readonly how: string;
  readonly features: string;
  readonly objective: string;
  readonly costs: string;
  readonly defaultAction: string;
  readonly none: boolean;
  readonly shadow: boolean;
  readonly priority: number;
  /** What the form does not show stays as it is. */
  readonly rest: Partial<PointBody>;
  readonly policyRest: Partial<Policy>;
}

/** Bounds of how probable some actions are together, and each of them; empty where there is none. */
export interface Bound {
  readonly actions: readonly string[];
  readonly when: string;
  readonly least: number | '';
  readonly most: number | '';
  readonly each: number | '';
}

export const free: Bound = { actions: [], when: '', least: '', most: '', each: '' };

export const blank: Draft = {
  name: '', class: 'advertising', audience: '', random: 0.05, businessAsUsual: 0.05, offers: [], channels: [],
  creatives: '[{"key": "default"}]', spread: false, withinHours: 24, type: 'uniform', exploration: '', action: '', method: 'thompson', alpha: 0.5, halfLifeDays: 30, exposure: [], rules: '', model: '',
  treatment: 'offer', where: '', how: '', features: '', objective: '{"terms": [{"event": "Order Completed"}], "windowHours": 24}', costs: '',
  defaultAction: 'none', none: true, shadow: false, priority: 0, rest: {}, policyRest: {},
};

const text = (value: unknown): string => (value === undefined || value === null || (Array.isArray(value) && value.length === 0) ? '' : JSON.stringify(value, null, 2));

/** The members of an object but for some. */
function without<T extends object, K extends keyof T>(whole: T, names: readonly K[]): Omit<T, K> {
  return Object.fromEntries(Object.entries(whole).filter(([name]) => !names.includes(name as K))) as Omit<T, K>;
}

const shown = [
  'name', 'class', 'audience', 'groups', 'offers', 'channels', 'creatives', 'when', 'policy', 'features', 'objective', 'costs', 'defaultAction', 'noneAction', 'shadow', 'priority',
] as const;

export function draftOf(point: DecisionPoint): Draft {
  const { policy } = point;
  const rest = without(point, [...shown, 'key', 'version', 'createdAt', 'updatedAt', 'updatedBy', '$schema'] as (keyof DecisionPoint)[]);
  return {
    name: point.name ?? '',
    class: point.class ?? 'advertising',
    audience: text(point.audience),
    random: point.groups?.random ?? 0,
    businessAsUsual: point.groups?.businessAsUsual ?? 0,
    offers: point.offers ?? [],
    channels: point.channels ?? [],
    creatives: text(point.creatives),
    spread: point.when?.mode === 'spread',
    withinHours: point.when?.withinHours ?? 24,
    type: policy.type,
    exploration: policy.exploration ?? '',
    action: policy.action ?? '',
    method: policy.method ?? 'thompson',
    alpha: policy.alpha ?? 0.5,
    halfLifeDays: policy.halfLifeDays ?? 30,
    exposure: (policy.exposure ?? []).map(({ actions, when, least, most, each }) => ({ actions: actions ?? [], when: text(when), least: least ?? '', most: most ?? '', each: each ?? '' })),
    rules: text(policy.rules),
    model: policy.model ?? '',
    treatment: policy.treatment ?? 'offer',
    where: text(policy.where),
    how: text(policy.how),
    features: text(point.features),
    objective: text(point.objective),
    costs: text(point.costs),
    defaultAction: point.defaultAction ?? 'none',
    none: point.noneAction ?? true,
    shadow: point.shadow ?? false,
    priority: point.priority ?? 0,
    rest: { ...rest, ...(point.groups?.yield === true ? { groups: point.groups } : {}), ...(point.when === undefined ? {} : { when: point.when }) } as Partial<PointBody>,
    policyRest: without(policy, ['type', 'exploration', 'action', 'method', 'alpha', 'halfLifeDays', 'exposure', 'rules', 'model', 'treatment', 'where', 'how']),
  };
}

/** What is wrong with a text of JSON, empty for nothing. */
export function fault(value: string, form: 'object' | 'list'): string {
  if (value.trim() === '') return '';
  try {
    const parsed: unknown = JSON.parse(value);
    if (form === 'list') return Array.isArray(parsed) ? '' : 'must be a list';
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? '' : 'must be an object';
  } catch {
    return 'must be JSON';
  }
}

const lists = ['creatives', 'rules', 'features'] as const;
const objects = ['audience', 'where', 'how', 'objective', 'costs'] as const;

/** The fields whose text cannot be saved, with what is wrong. */
export function faults(d: Draft): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of lists) if (fault(d[name], 'list') !== '') found[name] = fault(d[name], 'list');
  for (const name of objects) if (fault(d[name], 'object') !== '') found[name] = fault(d[name], 'object');
  for (const [i, { when }] of d.exposure.entries()) if (fault(when, 'object') !== '') found[`exposure[${i.toString()}].when`] = fault(when, 'object');
  return found;
}

function parsed(name: string, value: string): Record<string, unknown> {
  return value.trim() === '' ? {} : { [name]: JSON.parse(value) as unknown };
}

const learns = (d: Draft): boolean => d.type === 'bandit' || [d.where, d.how].some((stage) => stage.includes('"bandit"'));

function boundOf({ actions, when, least, most, each }: Bound) {
  return {
    actions: [...actions],
    ...parsed('when', when),
    ...(least === '' ? {} : { least }),
    ...(most === '' ? {} : { most }),
    ...(each === '' ? {} : { each }),
  };
}

export function bodyOf(d: Draft): PointBody {
  const policy = {
    ...(d.type === 'bandit' ? { ...d.policyRest, ...(d.method === 'thompson' ? {} : { method: d.method }), alpha: d.alpha, halfLifeDays: d.halfLifeDays } : {}),
    ...(d.exposure.length === 0 ? {} : { exposure: d.exposure.map(boundOf) }),
    type: d.type,
    ...(d.exploration === '' || d.type === 'fixed' || d.type === 'uniform' ? {} : { exploration: d.exploration }),
    ...(d.type === 'fixed' && d.action !== '' ? { action: d.action } : {}),
    ...(d.type === 'rules' ? parsed('rules', d.rules) : {}),
    ...(d.type === 'model' ? { model: d.model, treatment: d.treatment } : {}),
    ...parsed('where', d.where),
    ...parsed('how', d.how),
  };
  return {
    ...d.rest,
    ...(d.name.trim() === '' ? {} : { name: d.name.trim() }),
    class: d.class,
    ...parsed('audience', d.audience),
    ...(learns(d) ? { groups: { ...(d.rest.groups ?? {}), random: d.random, businessAsUsual: d.businessAsUsual } } : {}),
    offers: [...d.offers],
    channels: [...d.channels],
    ...parsed('creatives', d.creatives),
    ...(d.spread ? { when: { ...(d.rest.when ?? {}), mode: 'spread', withinHours: d.withinHours } } : d.rest.when === undefined ? {} : { when: { mode: 'now' } }),
    policy: policy as Policy,
    ...parsed('features', d.features),
    ...parsed('objective', d.objective),
    ...parsed('costs', d.costs),
    defaultAction: d.defaultAction.trim() === '' ? 'none' : d.defaultAction.trim(),
    noneAction: d.none,
    shadow: d.shadow,
    ...(d.priority === 0 ? {} : { priority: d.priority }),
  };
}
