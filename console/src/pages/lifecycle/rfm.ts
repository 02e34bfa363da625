import type { RfmCode, RfmCuts } from '../../api/types';
import { fixed } from '../../format/number';

export const scores = [1, 2, 3, 4, 5] as const;

/** Customers and spend of one cell of the grid. */
export interface Cell {
  readonly recency: number;
  readonly frequency: number;
  readonly people: number;
  readonly spend: number;
  /** The codes of the cell that somebody has. */
  readonly codes: readonly RfmCode[];
}

/**
 * The grid from the best recency to the worst, each row from frequency 1 to 5,
 * of the customers with a spend score, or of all of them.
 */
export function gridRows(codes: readonly RfmCode[], monetary: number | null): readonly (readonly Cell[])[] {
  return scores.toReversed().map((recency) =>
    scores.map((frequency) => {
      const inside = codes.filter(
        (code) => code.recency === recency && code.frequency === frequency && (monetary === null || code.monetary === monetary),
      );
      return {
        recency,
        frequency,
        people: inside.reduce((sum, code) => sum + code.people, 0),
        spend: inside.reduce((sum, code) => sum + code.spend, 0),
        codes: inside,
      };
    }),
  );
}

/** How strongly a cell is filled, 0 to 1: by the square root, so that small groups can be told from none. */
export function heat(value: number, most: number): number {
  return value > 0 && most > 0 ? Math.sqrt(Math.min(1, value / most)) : 0;
}

function number(value: number): string {
  return fixed(value, Number.isInteger(value) ? 0 : 2);
}

/** What a score means, from the four cuts: of days fewer are better. Empty without customers, and "nobody" where two cuts coincide. */
export function scoreMeaning(kind: 'days' | 'orders' | 'spend', cuts: RfmCuts, score: number): string {
  const bounds = cuts[kind];
  if (bounds.length !== 4) return '';
  const lower = score > 1 ? bounds[score - 2] : undefined; // surpassed or reached by this score
  const upper = score < 5 ? bounds[score - 1] : undefined; // not by this one
  if (lower !== undefined && lower === upper) return 'nobody';
  const [better, notBeyond] = cuts.reached
    ? kind === 'days' ? ['at most', 'more than'] : ['from', 'below']
    : kind === 'days' ? ['less than', 'from'] : ['more than', 'up to'];
  const unit = kind === 'days' ? ' days' : '';
  if (upper === undefined) return lower === undefined ? '' : `${better} ${number(lower)}${unit}`;
  if (lower === undefined) return `${notBeyond} ${number(upper)}${unit}`;
  return `${better} ${number(lower)}, ${notBeyond} ${number(upper)}${unit}`;
}

/** The codes of each segment, in their order. */
export function codesBySegment(codes: readonly RfmCode[]): ReadonlyMap<string, readonly RfmCode[]> {
  const found = new Map<string, RfmCode[]>();
  for (const code of codes) {
    const list = found.get(code.segment);
    if (list === undefined) found.set(code.segment, [code]);
    else list.push(code);
  }
  for (const list of found.values()) list.sort((a, b) => b.code.localeCompare(a.code));
  return found;
}
