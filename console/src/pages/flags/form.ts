import type { FlagBody, FlagRule } from '../../api/types';

export type FlagType = FlagBody['type'];

export const flagTypes = [
  { value: 'boolean', label: 'on or off' },
  { value: 'string', label: 'a text' },
  { value: 'number', label: 'a number' },
  { value: 'json', label: 'JSON' },
] as const satisfies readonly { value: FlagType; label: string }[];

/** One rule of a flag as it is typed. */
export interface RuleText {
  readonly key: string;
  readonly name: string;
  /** JSON; empty for everybody. */
  readonly condition: string;
  readonly kind: 'value' | 'experiment';
  readonly value: string;
  readonly coveragePercent: number;
  readonly experiment: string;
  /** Value of each variant by its key. */
  readonly values: Readonly<Record<string, string>>;
  readonly rest: Partial<FlagRule>;
}

export interface FlagText {
  readonly name: string;
  readonly description: string;
  readonly type: FlagType;
  readonly fallback: string;
  readonly enabled: boolean;
  readonly holdouts: readonly string[];
  readonly rules: readonly RuleText[];
  readonly rest: Partial<FlagBody>;
}

export const emptyFlag: FlagText = { name: '', description: '', type: 'boolean', fallback: 'false', enabled: true, holdouts: [], rules: [], rest: {} };

/** A value as somebody types it: texts without quotes, the rest as JSON. */
export function valueText(value: unknown, type: FlagType): string {
  if (value === undefined) return '';
  return type === 'string' && typeof value === 'string' ? value : JSON.stringify(value);
}

/** The value that a text stands for, or what is wrong with it. */
export function valueOf(text: string, type: FlagType): { readonly value: unknown } | { readonly wrong: string } {
  const trimmed = text.trim();
  switch (type) {
    case 'string':
      return { value: text };
    case 'boolean':
      return trimmed === 'true' || trimmed === 'false' ? { value: trimmed === 'true' } : { wrong: 'It is true or false' };
    case 'number':
      return trimmed !== '' && Number.isFinite(Number(trimmed)) ? { value: Number(trimmed) } : { wrong: 'It is a number' };
    case 'json':
      try {
        return { value: JSON.parse(trimmed) as unknown };
      } catch {
        return { wrong: 'It is not JSON' };
      }
  }
}

function percentOf(share: number): number {
  return Number((share * 100).toFixed(6));
}

/** A flag as its form shows it. */
export function textOf(flag: FlagBody): FlagText {
  const { name, description, type, default: fallback, enabled, holdouts, rules, ...rest } = flag;
  return {
    name: name ?? '',
    description: description ?? '',
    type,
    fallback: valueText(fallback, type),
    enabled: enabled ?? true,
    holdouts: holdouts ?? [],
    rules: (rules ?? []).map((rule) => {
      const { key, name: ruleName, condition, value, coverage, experiment, values, ...others } = rule;
      return {
        key,
        name: ruleName ?? '',
        condition: condition === undefined || condition === null ? '' : JSON.stringify(condition),
        kind: experiment === undefined || experiment === '' ? ('value' as const) : ('experiment' as const),
        value: valueText(value, type),
        coveragePercent: percentOf(coverage ?? 1),
        experiment: experiment ?? '',
        values: Object.fromEntries(Object.entries((values ?? {}) as Record<string, unknown>).map(([variant, each]) => [variant, valueText(each, type)])),
        rest: others,
      };
    }),
    rest,
  };
}

const served = ['createdAt', 'key', 'updatedAt', 'updatedBy', 'version'] as const;

function ruleOf(rule: RuleText, type: FlagType): FlagRule {
  const typed = (text: string) => {
    const read = valueOf(text, type);
    return 'value' in read ? read.value : text;
  };
  // Who gets a share is fixed by unit and salt; they belong to values only.
  const { unit, salt, ...others } = rule.rest;
  const shared = { ...others, key: rule.key.trim(), ...(rule.name.trim() === '' ? {} : { name: rule.name.trim() }), ...(rule.condition.trim() === '' ? {} : { condition: JSON.parse(rule.condition) as unknown }) };
  if (rule.kind === 'experiment') {
    return { ...shared, experiment: rule.experiment, values: Object.fromEntries(Object.entries(rule.values).filter(([, text]) => text !== '' || type === 'string').map(([variant, text]) => [variant, typed(text)])) };
  }
  return {
    ...shared,
    value: typed(rule.value),
    ...(rule.coveragePercent < 100 ? { coverage: Number((rule.coveragePercent / 100).toFixed(8)), ...(unit === undefined ? {} : { unit }), ...(salt === undefined ? {} : { salt }) } : {}),
  };
}

/** The flag as the API takes it. */
export function flagOf(text: FlagText): FlagBody {
  const rest: Partial<Record<string, unknown>> = { ...text.rest };
  for (const field of served) delete rest[field];
  const fallback = valueOf(text.fallback, text.type);
  return {
    ...rest,
    type: text.type,
    default: 'value' in fallback ? fallback.value : text.fallback,
    enabled: text.enabled,
    ...(text.name.trim() === '' ? {} : { name: text.name.trim() }),
    ...(text.description.trim() === '' ? {} : { description: text.description.trim() }),
    ...(text.holdouts.length === 0 ? {} : { holdouts: [...text.holdouts] }),
    ...(text.rules.length === 0 ? {} : { rules: text.rules.map((rule) => ruleOf(rule, text.type)) }),
  };
}

/** What is still wrong with a rule, in words. */
export function faultsOf(rule: RuleText, type: FlagType): readonly string[] {
  const faults: string[] = [];
  if (rule.key.trim() === '') faults.push('It needs a key.');
  if (rule.condition.trim() !== '') {
    try {
      JSON.parse(rule.condition);
    } catch {
      faults.push('Its condition is not JSON.');
    }
  }
  if (rule.kind === 'experiment') {
    if (rule.experiment === '') faults.push('Choose its experiment.');
    for (const [variant, text] of Object.entries(rule.values)) {
      const read = valueOf(text, type);
      if (text !== '' && 'wrong' in read) faults.push(`Value of ${variant}: ${read.wrong.toLowerCase()}.`);
    }
  } else {
    const read = valueOf(rule.value, type);
    if ('wrong' in read) faults.push(`${read.wrong}.`);
  }
  return faults;
}

/** What a rule does, in words. */
export function ruleWords(rule: FlagRule, type: FlagType): string {
  const who = rule.condition === undefined || rule.condition === null ? 'everybody' : 'who fulfils the condition';
  if (rule.experiment !== undefined && rule.experiment !== '') return `By the experiment ${rule.experiment}, for ${who}`;
  const share = rule.coverage === undefined || rule.coverage >= 1 ? '' : `${percentOf(rule.coverage).toString()}% of `;
  return `${valueText(rule.value, type)} for ${share}${who}`;
}
