import type { IdentityRules, NewIdentityRules } from '../../api/types';

export const periods = ['ever', 'year', 'month', 'week'] as const;

/** A namespace's rule while somebody edits it. */
export interface NamespaceText {
  readonly namespace: string;
  readonly limit: number | string;
  readonly period: (typeof periods)[number];
  readonly unique: boolean;
  readonly joins: boolean;
  readonly blocked: readonly string[];
}

/** The rules while somebody edits them; blocked values are one a line. */
export interface RulesText {
  readonly namespaces: readonly NamespaceText[];
  readonly blocked: string;
  readonly sharedDeviceUsers: number | string;
  readonly phoneRegion: string;
}

export function textOf(rules: IdentityRules): RulesText {
  return {
    namespaces: (rules.namespaces ?? []).map((rule) => ({
      namespace: rule.namespace,
      limit: rule.limit,
      period: rule.period ?? 'ever',
      unique: rule.unique ?? false,
      joins: rule.joins ?? false,
      blocked: rule.blocked ?? [],
    })),
    blocked: (rules.blocked ?? []).join('\n'),
    sharedDeviceUsers: rules.sharedDeviceUsers,
    phoneRegion: rules.phoneRegion ?? '',
  };
}

export function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** The rules as the service takes them; what is not a number is sent as 0, which it refuses at its field. */
export function rulesOf(text: RulesText): NewIdentityRules {
  const whole = (value: number | string) => (typeof value === 'number' && Number.isFinite(value) ? Math.trunc(value) : 0);
  const region = text.phoneRegion.trim();
  return {
    namespaces: text.namespaces.map(({ namespace, limit, period, unique, joins, blocked }) => ({
      namespace: namespace.trim(),
      limit: whole(limit),
      period,
      ...(unique ? { unique } : {}),
      ...(joins ? { joins } : {}),
      ...(blocked.length > 0 ? { blocked: [...blocked] } : {}),
    })),
    blocked: lines(text.blocked),
    sharedDeviceUsers: whole(text.sharedDeviceUsers),
    ...(region === '' ? {} : { phoneRegion: region }),
  };
}

/** The list with an entry one place nearer to the front or the end. */
export function moved<T>(list: readonly T[], from: number, to: number): readonly T[] {
  const entry = list[from];
  if (entry === undefined || to < 0 || to >= list.length) return list;
  const rest = list.filter((_, index) => index !== from);
  return [...rest.slice(0, to), entry, ...rest.slice(to)];
}
