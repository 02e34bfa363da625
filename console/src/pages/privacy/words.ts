import type { Erasure, ErasureProof, RetentionEffect, RetentionRuleBody } from '../../api/types';
import type { Tone } from '../../parts/Tag';

/** The steps of an erasure in their order. */
export const erasureSteps = ['waiting', 'running', 'rewriting', 'done'] as const satisfies readonly Erasure['status'][];

export const stepWords: Readonly<Record<Erasure['status'], string>> = {
  waiting: 'Identifiers are refused; calls that had begun are waited for',
  running: 'The person is taken out of memory, tables, streams and files',
  rewriting: 'Nothing names the person any more; files are written anew',
  done: 'Nothing of the person was found by the search',
};

export const stepTones: Readonly<Record<Erasure['status'], Tone>> = { waiting: 'quiet', running: 'accent', rewriting: 'accent', done: 'better' };

export const modeWords: Readonly<Record<Erasure['mode'], string>> = {
  erase: 'erased; decisions stay as numbers',
  anonymise: 'made anonymous; events stay as numbers',
  purge: 'purged; nothing stays',
};

/** Whether the search of a proof found nothing: rows of the person must be none. */
export function foundNothing(proof: Pick<ErasureProof, 'checks'>): boolean {
  const checks = proof.checks ?? [];
  return checks.length > 0 && checks.every(({ rows }) => rows === 0);
}

/** Mentions of the person by others, which are left and counted. */
export function mentions(proof: Pick<ErasureProof, 'checks'>): number {
  return (proof.checks ?? []).reduce((sum, check) => sum + check.mentions, 0);
}

/** What a rule is about. */
export function ruleTarget(rule: Pick<RetentionRuleBody, 'of' | 'event'>): string {
  if (rule.of === 'decisions') return 'Decisions';
  return rule.event === '*' || rule.event === undefined || rule.event === '' ? 'Every other event' : rule.event;
}

/** A number of days as people say it: 2 years, 90 days. */
export function daysWords(days: number): string {
  if (days % 365 === 0) return days === 365 ? '1 year' : `${(days / 365).toString()} years`;
  return days === 1 ? '1 day' : `${days.toString()} days`;
}

export function removalWords(remove: RetentionRuleBody['remove']): string {
  return remove === 'details' ? 'properties, traits and context go; names, times and numbers stay' : 'rows go as a whole';
}

/** What the plan says of a rule; undefined before it is known. */
export function effectOf(effects: readonly RetentionEffect[] | undefined, key: string): RetentionEffect | undefined {
  return effects?.find((effect) => effect.key === key);
}
