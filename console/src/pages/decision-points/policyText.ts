import { percent } from '../../format/number';
import type { Draft, PolicyType } from './draft';

/** The types of policies, with what each does. */
export const policyTypes: readonly { readonly value: PolicyType; readonly label: string }[] = [
  { value: 'fixed', label: 'fixed: always one action' },
  { value: 'uniform', label: 'uniform: all alike' },
  { value: 'rules', label: 'rules: the first that has the person' },
  { value: 'bandit', label: 'bandit: learned here' },
  { value: 'model', label: 'model: the largest expected effect' },
  { value: 'recommender', label: 'recommender: what promises most' },
];

/** The methods of a bandit, with what each does. */
export const methods: readonly { readonly value: Draft['method']; readonly label: string }[] = [
  { value: 'thompson', label: 'thompson: by the probability of being the best' },
  { value: 'squarecb', label: 'squarecb: by the gap to the best' },
  { value: 'greedy', label: 'greedy: the best, others by exploration' },
  { value: 'beta', label: 'beta: without features, for yes or no' },
];

function field(policy: object, name: string): unknown {
  return (policy as Record<string, unknown>)[name];
}

/** A policy in a few words; a variant without one of its own uses the decision point's. */
export function policyText(policy: unknown): string {
  if (typeof policy !== 'object' || policy === null) return "the decision point's own";
  const exposure = field(policy, 'exposure');
  const bounds = Array.isArray(exposure) ? exposure.length : 0;
  return bounds === 0 ? choiceText(policy) : `${choiceText(policy)}, ${bounds === 1 ? '1 bound' : `${bounds.toString()} bounds`} of exposure`;
}

function choiceText(policy: object): string {
  const type = field(policy, 'type');
  const exploration = field(policy, 'exploration');
  const action = field(policy, 'action');
  if (type === 'fixed') return typeof action === 'string' && action !== '' ? `always ${action}` : 'always one action';
  if (type === 'uniform') return 'uniform: all actions alike';
  if (type === 'bandit') {
    return typeof exploration === 'number' ? `bandit, ${percent(exploration, 0)} explored evenly` : 'bandit';
  }
  if (type === 'rules') return 'rules';
  if (type === 'model') return `the effect that ${String(field(policy, 'model'))} expects`;
  if (type === 'recommender') return 'the most promising recommendation';
  return typeof type === 'string' && type !== '' ? type : "the decision point's own";
}
