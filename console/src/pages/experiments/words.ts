import type { Change, Experiment, GuardrailReport, MetricReport, Recommendation, Report } from '../../api/types';
import type { Tone } from '../../parts/Tag';

const roles = [
  { role: 'goal', title: 'Goals', about: 'decide, with all of them taken into account' },
  { role: 'guardrail', title: 'Guardrails', about: 'must not be harmed' },
  { role: 'secondary', title: 'Secondary', about: 'are shown and decide nothing' },
] as const;

/** Metrics by what they are for, in the order in which they are read. */
export function groupsOf(metrics: readonly MetricReport[]) {
  return roles.map((each) => ({ ...each, list: metrics.filter(({ role }) => role === each.role) })).filter(({ list }) => list.length > 0);
}

/** How intervals are to be read, in a sentence. */
export function methodWords(analysis: Report['analysis'] | undefined): string {
  const level = `${Number((100 * (1 - (analysis?.alpha ?? 0.05))).toPrecision(6)).toString()}%`;
  switch (analysis?.method ?? 'sequential') {
    case 'fixed':
      return `${level} intervals for one look, at the planned number of people.`;
    case 'bayesian':
      return `${level} credible intervals with the experiment’s prior.`;
    case 'group-sequential':
      return `${level} intervals for ${(analysis?.looks ?? 5).toString()} planned looks.`;
    default:
      return `${level} intervals that stay valid however often you look.`;
  }
}

/** The recommended step in words of few letters, with its tone. */
export function recommendationWords(recommendation: Recommendation): { readonly title: string; readonly tone: Tone } {
  const variant = recommendation.variant ?? '';
  switch (recommendation.action) {
    case 'fix':
      return { title: 'Find the fault first', tone: 'worse' };
    case 'ship':
      return { title: `Ship ${variant}`, tone: 'better' };
    case 'keep-control':
      return { title: 'Keep the control', tone: 'neutral' };
    case 'drop':
      return { title: `Drop ${variant}`, tone: 'worse' };
    case 'wait':
      return { title: 'Wait', tone: 'accent' };
    default:
      return { title: 'Nothing to decide', tone: 'quiet' };
  }
}

/** What the list of experiments says about one in a word. */
export function healthWords(report: Pick<Report, 'checksPassed' | 'checks' | 'recommendation' | 'guardrails'>): { readonly word: string; readonly tone: Tone; readonly why: string } {
  if (!report.checksPassed) {
    const failed = report.checks.filter(({ passed }) => !passed);
    return { word: 'a check failed', tone: 'worse', why: failed.map(({ detail }) => detail).join(' ') };
  }
  const broken = (report.guardrails ?? []).find(({ state }) => state === 'broken');
  if (broken !== undefined) return { word: 'a guardrail is broken', tone: 'worse', why: broken.detail };
  const { title, tone } = recommendationWords(report.recommendation);
  return { word: title.toLowerCase(), tone, why: report.recommendation.reason };
}

const guardrailStates: Readonly<Record<string, { readonly word: string; readonly tone: Tone }>> = {
  holds: { word: 'holds', tone: 'better' },
  open: { word: 'not told yet', tone: 'quiet' },
  broken: { word: 'broken', tone: 'worse' },
  unknown: { word: 'no figures', tone: 'warning' },
};

/** The state of a guardrail in words. */
export function guardrailState(state: GuardrailReport['state']): { readonly word: string; readonly tone: Tone } {
  return guardrailStates[state] ?? { word: state, tone: 'neutral' };
}

const actions: Readonly<Record<string, string>> = {
  create: 'was made',
  edit: 'was changed',
  submit: 'was submitted for review',
  approve: 'was approved',
  reject: 'was sent back',
  schedule: 'was scheduled',
  unschedule: 'was taken off the schedule',
  start: 'was started',
  ramp: 'reached more people',
  drop: 'lost an arm',
  stop: 'was stopped',
  'roll-back': 'was rolled back by a guardrail',
  archive: 'was archived',
  delete: 'was deleted',
};

export function changeWords(change: Pick<Change, 'action'>): string {
  return actions[change.action] ?? change.action;
}

/** What can be done with an experiment in its state; why not is for the service to say. */
export function stepsOf(experiment: Pick<Experiment, 'status' | 'variants' | 'scheduledBy'>): readonly Step[] {
  switch (experiment.status ?? 'draft') {
    case 'draft':
      return experiment.scheduledBy !== undefined && experiment.scheduledBy !== '' ? ['edit', 'stop', 'archive'] : ['edit', 'submit', 'start', 'archive'];
    case 'review':
      return ['edit', 'approve', 'reject', 'start'];
    case 'running':
      return experiment.variants.filter(({ dropped }) => dropped !== true).length > 2 ? ['edit', 'drop', 'stop'] : ['edit', 'stop'];
    case 'stopped':
      return ['archive'];
    default:
      return [];
  }
}

export type Step = 'edit' | 'submit' | 'approve' | 'reject' | 'start' | 'drop' | 'stop' | 'archive';
