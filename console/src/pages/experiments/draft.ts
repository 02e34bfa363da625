import type { ExperimentBody, GuardrailBody, PlanRequest } from '../../api/types';

/** One arm as it is typed; weights are percentages here. */
export interface ArmText {
  readonly key: string;
  readonly name: string;
  readonly percent: number;
  readonly control: boolean;
  /** JSON of what overrides the decision point's policy; empty for nothing. */
  readonly policy: string;
  readonly dropped: boolean;
}

export interface GuardrailText {
  readonly metric: string;
  readonly marginPercent: number;
  readonly action: NonNullable<GuardrailBody['action']>;
}

export type AudienceKind = 'everybody' | 'segments' | 'condition';

/** An experiment as the wizard asks for it. */
export interface Draft {
  readonly key: string;
  readonly name: string;
  readonly hypothesis: string;
  readonly decisionPoint: string;
  readonly unit: string;
  readonly audienceKind: AudienceKind;
  readonly segments: readonly string[];
  readonly condition: string;
  readonly coveragePercent: number;
  readonly holdouts: readonly string[];
  readonly arms: readonly ArmText[];
  readonly metrics: readonly string[];
  readonly secondary: readonly string[];
  readonly guardrails: readonly GuardrailText[];
  readonly method: NonNullable<PlanRequest['method']>;
  readonly alpha: number;
  readonly power: number;
  readonly effectPercent: number;
  readonly nStar: number;
  readonly looks: number;
  /** Days before the first exposure that narrow the intervals; 0 for none. */
  readonly pastDays: number;
  readonly dimensions: readonly string[];
  readonly startAt: string;
  readonly endAt: string;
  /** What the wizard does not ask for is kept. */
  readonly rest: Partial<ExperimentBody>;
}

export const emptyDraft: Draft = {
  key: '',
  name: '',
  hypothesis: '',
  decisionPoint: '',
  unit: 'person',
  audienceKind: 'everybody',
  segments: [],
  condition: '',
  coveragePercent: 100,
  holdouts: [],
  arms: [
    { key: 'control', name: '', percent: 50, control: true, policy: '', dropped: false },
    { key: 'variant', name: '', percent: 50, control: false, policy: '', dropped: false },
  ],
  metrics: [],
  secondary: [],
  guardrails: [],
  method: 'sequential',
  alpha: 0.05,
  power: 0.8,
  effectPercent: 5,
  nStar: 0,
  looks: 5,
  pastDays: 14,
  dimensions: [],
  startAt: '',
  endAt: '',
  rest: {},
};

/** A key that a name suggests. */
export function keyOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
}

// Segments are the one condition that has a form: {"segments": {"$in": [...]}}.
function segmentsIn(audience: unknown): readonly string[] | null {
  if (typeof audience !== 'object' || audience === null || Object.keys(audience).length !== 1) return null;
  const held = (audience as { readonly segments?: unknown }).segments;
  if (typeof held !== 'object' || held === null || Object.keys(held).length !== 1) return null;
  const list = (held as { readonly $in?: unknown }).$in;
  return Array.isArray(list) && list.every((each) => typeof each === 'string') ? list : null;
}

function percentOf(share: number): number {
  return Number((share * 100).toFixed(6));
}

function localMoment(at: string | undefined): string {
  if (at === undefined || at === '') return '';
  const moment = new Date(at);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** An experiment as the wizard shows it. */
export function draftOf(key: string, experiment: ExperimentBody): Draft {
  const { analysis, audience, guardrails, holdouts, variants, metrics, secondary, coverage, unit, name, hypothesis, decisionPoint, startAt, endAt, ...others } = experiment;
  const segments = segmentsIn(audience);
  return {
    ...emptyDraft,
    key,
    name: name ?? '',
    hypothesis: hypothesis ?? '',
    decisionPoint: decisionPoint ?? '',
    unit: unit ?? 'person',
    audienceKind: audience === undefined || audience === null ? 'everybody' : segments === null ? 'condition' : 'segments',
    segments: segments ?? [],
    condition: audience === undefined || audience === null ? '' : JSON.stringify(audience, null, 2),
    coveragePercent: percentOf(coverage ?? 1),
    holdouts: holdouts ?? [],
    arms: variants.map((variant) => ({
      key: variant.key,
      name: variant.name ?? '',
      percent: percentOf(variant.weight),
      control: variant.control ?? false,
      policy: variant.policy === undefined || variant.policy === null ? '' : JSON.stringify(variant.policy),
      dropped: variant.dropped ?? false,
    })),
    metrics: metrics ?? [],
    secondary: secondary ?? [],
    guardrails: (guardrails ?? []).map((guardrail) => ({ metric: guardrail.metric, marginPercent: percentOf(guardrail.margin ?? 0), action: guardrail.action ?? 'warn' })),
    method: analysis?.method ?? 'sequential',
    alpha: analysis?.alpha ?? 0.05,
    effectPercent: percentOf(analysis?.minimumEffect ?? 0.1),
    nStar: analysis?.nStar ?? 0,
    looks: analysis?.looks ?? 5,
    pastDays: analysis?.cuped === undefined ? 0 : (analysis.cuped.days ?? 14),
    dimensions: analysis?.dimensions ?? [],
    startAt: localMoment(startAt),
    endAt: localMoment(endAt),
    rest: { ...others, ...(analysis === undefined ? {} : { analysis }) },
  };
}

function audienceOf(draft: Draft): unknown {
  if (draft.audienceKind === 'segments' && draft.segments.length > 0) return { segments: { $in: [...draft.segments] } };
  if (draft.audienceKind === 'condition' && draft.condition.trim() !== '') return JSON.parse(draft.condition) as unknown;
  return undefined;
}

/** What the service adds by itself, and refuses or ignores from a caller. */
const served = ['approvals', 'change', 'createdAt', 'editedBy', 'key', 'rampedAt', 'scheduledBy', 'startedAt', 'stoppedAt', 'updatedAt', 'updatedBy', 'version'] as const;

/** The experiment as the API takes it. */
export function bodyOf(draft: Draft): ExperimentBody {
  const rest: Partial<Record<string, unknown>> = { ...draft.rest };
  for (const field of served) delete rest[field];
  const kept = (draft.rest.analysis ?? {}) as Record<string, unknown>;
  const { cuped: keptCuped, ...keptAnalysis } = kept;
  const audience = audienceOf(draft);
  return {
    ...rest,
    name: draft.name.trim(),
    ...(draft.hypothesis.trim() === '' ? {} : { hypothesis: draft.hypothesis.trim() }),
    ...(draft.decisionPoint === '' ? {} : { decisionPoint: draft.decisionPoint }),
    ...(draft.unit === 'person' || draft.unit === '' ? {} : { unit: draft.unit }),
    ...(audience === undefined ? {} : { audience }),
    coverage: draft.coveragePercent / 100,
    ...(draft.holdouts.length === 0 ? {} : { holdouts: [...draft.holdouts] }),
    variants: draft.arms.map((arm) => ({
      key: arm.key.trim(),
      weight: Number((arm.percent / 100).toFixed(8)),
      ...(arm.name.trim() === '' ? {} : { name: arm.name.trim() }),
      ...(arm.control ? { control: true } : {}),
      ...(arm.policy.trim() === '' ? {} : { policy: JSON.parse(arm.policy) as unknown }),
      ...(arm.dropped ? { dropped: true } : {}),
    })),
    metrics: [...draft.metrics],
    ...(draft.secondary.length === 0 ? {} : { secondary: [...draft.secondary] }),
    ...(draft.guardrails.length === 0
      ? {}
      : { guardrails: draft.guardrails.map(({ metric, marginPercent, action }) => ({ metric, margin: Number((marginPercent / 100).toFixed(8)), action })) }),
    analysis: {
      ...keptAnalysis,
      method: draft.method,
      alpha: draft.alpha,
      minimumEffect: Number((draft.effectPercent / 100).toFixed(8)),
      ...(draft.nStar > 1 ? { nStar: Math.round(draft.nStar) } : {}),
      ...(draft.method === 'group-sequential' ? { looks: draft.looks } : {}),
      ...(draft.pastDays > 0 ? { cuped: { ...(keptCuped ?? {}), days: draft.pastDays } } : {}),
      ...(draft.dimensions.length === 0 ? {} : { dimensions: [...draft.dimensions] }),
    },
    ...(draft.startAt === '' ? {} : { startAt: new Date(draft.startAt).toISOString() }),
    ...(draft.endAt === '' ? {} : { endAt: new Date(draft.endAt).toISOString() }),
  };
}

function badJson(text: string): boolean {
  if (text.trim() === '') return false;
  try {
    JSON.parse(text);
    return false;
  } catch {
    return true;
  }
}

/** The parts of the wizard in their order. */
export const parts = ['hypothesis', 'metrics', 'audience', 'split', 'power', 'review'] as const;
export type Part = (typeof parts)[number];

/** What a part still asks for, in words; nothing when it is complete. */
export function openIn(draft: Draft, part: Part): readonly string[] {
  const open: string[] = [];
  switch (part) {
    case 'hypothesis':
      if (draft.name.trim() === '') open.push('Give it a name.');
      if (draft.key === '') open.push('It needs a key of letters, digits and dashes.');
      break;
    case 'metrics':
      if (draft.metrics.length === 0) open.push('Choose at least one metric that decides.');
      for (const metric of draft.secondary) if (draft.metrics.includes(metric)) open.push(`${metric} decides already: take it out of the secondary ones.`);
      for (const [index, { metric }] of draft.guardrails.entries()) {
        if (metric === '') open.push('Choose the metric of each guardrail.');
        else if (draft.guardrails.findIndex((each) => each.metric === metric) !== index) open.push(`${metric} is a guardrail twice.`);
      }
      break;
    case 'audience':
      if (draft.audienceKind === 'segments' && draft.segments.length === 0) open.push('Choose at least one segment, or everybody.');
      if (draft.audienceKind === 'condition' && (draft.condition.trim() === '' || badJson(draft.condition))) open.push('The condition is not JSON.');
      if (!(draft.coveragePercent > 0 && draft.coveragePercent <= 100)) open.push('The share of people is above 0 and at most 100%.');
      break;
    case 'split': {
      const sum = draft.arms.reduce((total, arm) => total + arm.percent, 0);
      if (draft.arms.length < 2) open.push('There have to be two arms or more.');
      if (Math.abs(sum - 100) > 1e-4) open.push(`The arms together have ${Number(sum.toFixed(4)).toString()}%, not 100%.`);
      if (draft.arms.filter(({ control }) => control).length !== 1) open.push('Exactly one arm is the control.');
      if (new Set(draft.arms.map(({ key }) => key.trim())).size !== draft.arms.length || draft.arms.some(({ key }) => key.trim() === '')) open.push('Each arm has a key of its own.');
      for (const arm of draft.arms) if (badJson(arm.policy)) open.push(`The policy of ${arm.key} is not JSON.`);
      break;
    }
    case 'power':
      if (draft.startAt !== '' && draft.endAt !== '' && draft.endAt <= draft.startAt) open.push('It ends after it starts.');
      break;
    case 'review':
      break;
  }
  return open;
}

/** Arms of equal size that add up to exactly 100%: the last one takes what rounding leaves. */
export function evenly(arms: readonly ArmText[]): ArmText[] {
  const each = Math.floor((100 / arms.length) * 100) / 100;
  return arms.map((arm, index) => ({ ...arm, percent: index === arms.length - 1 ? Number((100 - each * (arms.length - 1)).toFixed(2)) : each }));
}
