import type { FilterParameter, SegmentFilter } from '../../api/types';

/** Values of a filter's parameters, by name. */
export type FilterValues = Readonly<Record<string, unknown>>;

export function defaultValues(filter: SegmentFilter): FilterValues {
  return Object.fromEntries((filter.parameters ?? []).map((parameter) => [parameter.name, parameter.default]));
}

/** The rule of a filter with values in the places of its parameters. */
export function filledRule(filter: SegmentFilter, values: FilterValues): unknown {
  const fill = (part: unknown): unknown => {
    if (typeof part === 'string' && part.startsWith('$')) {
      const name = part.slice(1);
      return name in values ? values[name] : part;
    }
    if (Array.isArray(part)) return part.map(fill);
    if (typeof part === 'object' && part !== null) {
      return Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, fill(inner)]));
    }
    return part;
  };
  return fill(filter.rule);
}

/** Whether a parameter still wants a value. */
export function wantsValue(parameter: FilterParameter, values: FilterValues): boolean {
  const value = values[parameter.name];
  return value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

/** Filters whose title, description or group has all the words, under their headings. */
export function groupedFilters(filters: readonly SegmentFilter[], search: string): readonly (readonly [string, SegmentFilter[]])[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map<string, SegmentFilter[]>();
  for (const filter of filters) {
    const text = `${filter.title} ${filter.description} ${filter.group} ${filter.key}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    groups.set(filter.group, [...(groups.get(filter.group) ?? []), filter]);
  }
  return [...groups];
}

/** Names of the events that filters ask for, as a help in writing one's own. */
export function eventNames(filters: readonly SegmentFilter[]): string[] {
  const names = new Set<string>();
  const visit = (part: unknown) => {
    if (Array.isArray(part)) part.forEach(visit);
    else if (typeof part === 'object' && part !== null) {
      for (const [name, inner] of Object.entries(part)) {
        if (name === 'event' && typeof inner === 'string' && !inner.startsWith('$')) names.add(inner);
        else visit(inner);
      }
    }
  };
  filters.forEach((filter) => {
    visit(filter.rule);
  });
  return [...names].sort();
}
