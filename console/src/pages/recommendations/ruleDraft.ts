import type { Draft, PlacementRow } from '../../api/recommendations';
import { itemsOf } from './words';

export const kinds = ['home', 'product', 'cart', 'email', 'search'] as const;

/** A boost as it is edited. */
export interface BoostDraft {
  readonly of: 'item' | 'category';
  readonly name: string;
  readonly factor: number;
}

/** The rules of a placement as they are edited: lists are texts, figures are numbers. */
export interface RuleDraft {
  readonly name: string;
  readonly kind: (typeof kinds)[number];
  readonly goal: 'relevance' | 'margin';
  /** Whether what was bought is left out, and for how many days. */
  readonly leaveOut: boolean;
  readonly boughtDays: number;
  readonly categories: string;
  readonly except: string;
  readonly minPrice: number;
  readonly maxPrice: number;
  readonly pin: string;
  readonly boost: readonly BoostDraft[];
  readonly diversity: number;
  readonly exploration: number;
  readonly perSupplier: number;
}

/** The draft of what is saved, or of something new. */
export function draftOf(row?: PlacementRow): RuleDraft {
  return {
    name: row?.name ?? '',
    kind: row?.kind ?? 'home',
    goal: row?.goal ?? 'relevance',
    leaveOut: row?.boughtDays !== -1,
    boughtDays: row?.boughtDays === undefined || row.boughtDays <= 0 ? 30 : row.boughtDays,
    categories: (row?.categories ?? []).join('\n'),
    except: (row?.except ?? []).join('\n'),
    minPrice: row?.minPrice ?? 0,
    maxPrice: row?.maxPrice ?? 0,
    pin: (row?.pin ?? []).join('\n'),
    boost: (row?.boost ?? []).map(({ item, category, factor }) => ({ of: item !== undefined && item !== '' ? 'item' : 'category', name: item !== undefined && item !== '' ? item : (category ?? ''), factor })),
    diversity: row?.diversity ?? 0.2,
    exploration: row?.exploration ?? 0,
    perSupplier: row?.perSupplier ?? 0,
  };
}

/** Categories from their lines: their names may have blanks and commas. */
export const linesOf = (text: string): string[] => [...new Set(text.split('\n').map((line) => line.trim()).filter((line) => line !== ''))];

/** What is sent for a draft. */
export function bodyOf(draft: RuleDraft): Draft {
  const categories = linesOf(draft.categories);
  const except = linesOf(draft.except);
  const pin = itemsOf(draft.pin);
  return {
    kind: draft.kind,
    goal: draft.goal,
    boughtDays: draft.leaveOut ? draft.boughtDays : -1,
    diversity: draft.diversity,
    exploration: draft.exploration,
    ...(draft.name.trim() === '' ? {} : { name: draft.name.trim() }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(except.length === 0 ? {} : { except }),
    ...(draft.minPrice > 0 ? { minPrice: draft.minPrice } : {}),
    ...(draft.maxPrice > 0 ? { maxPrice: draft.maxPrice } : {}),
    ...(pin.length === 0 ? {} : { pin }),
    ...(draft.boost.length === 0 ? {} : { boost: draft.boost.map(({ of, name, factor }) => ({ [of]: name.trim(), factor })) }),
    ...(draft.perSupplier > 0 ? { perSupplier: draft.perSupplier } : {}),
  };
}

/** The rules of a placement in words, for a list of them. */
export function ruleWords(row: Partial<PlacementRow>): string {
  const parts: string[] = [];
  const lists = (list: readonly string[] | null | undefined) => list ?? [];
  if (row.goal === 'margin') parts.push('by expected profit');
  if (lists(row.categories).length > 0) parts.push(`only ${lists(row.categories).join(', ')}`);
  if (lists(row.except).length > 0) parts.push(`not ${lists(row.except).join(', ')}`);
  if ((row.minPrice ?? 0) > 0 || (row.maxPrice ?? 0) > 0) parts.push(`price ${(row.minPrice ?? 0).toString()} to ${(row.maxPrice ?? 0) > 0 ? (row.maxPrice ?? 0).toString() : 'any'}`);
  const pinned = lists(row.pin).length;
  if (pinned > 0) parts.push(`${pinned.toString()} pinned`);
  const boosts = row.boost ?? [];
  const boosted = boosts.filter(({ factor }) => factor >= 1).length;
  if (boosted > 0) parts.push(`${boosted.toString()} boosted`);
  if (boosts.length > boosted) parts.push(`${(boosts.length - boosted).toString()} buried`);
  parts.push(row.boughtDays === -1 ? 'bought ones too' : `not bought in ${((row.boughtDays ?? 0) > 0 ? (row.boughtDays ?? 0) : 30).toString()} days`);
  if ((row.diversity ?? 0) > 0) parts.push(`diversity ${(row.diversity ?? 0).toString()}`);
  if ((row.perSupplier ?? 0) > 0) parts.push(`at most ${(row.perSupplier ?? 0).toString()} of a supplier`);
  if ((row.exploration ?? 0) > 0) parts.push(`${Math.round((row.exploration ?? 0) * 100).toString()}% exploration`);
  return parts.join('; ');
}
