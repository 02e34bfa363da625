import { percent } from '../../format/number';

function field(policy: object, name: string): unknown {
  return (policy as Record<string, unknown>)[name];
}

/** A policy in a few words; a variant without one of its own uses the decision point's. */
export function policyText(policy: unknown): string {
  if (typeof policy !== 'object' || policy === null) return "the decision point's own";
  const type = field(policy, 'type');
  const exploration = field(policy, 'exploration');
  const action = field(policy, 'action');
  if (type === 'fixed') return typeof action === 'string' && action !== '' ? `always ${action}` : 'always one action';
  if (type === 'uniform') return 'uniform: all actions alike';
  if (type === 'bandit') {
    return typeof exploration === 'number' ? `bandit, ${percent(exploration, 0)} explored evenly` : 'bandit';
  }
  return typeof type === 'string' && type !== '' ? type : "the decision point's own";
}
