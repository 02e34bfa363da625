import type { MovesOfMonth } from '../../api/types';

/** A row or column of the matrix: a place, or where people come from and go to outside of it. */
export interface End {
  readonly key: string;
  readonly name: string;
}

/** The moves of a month as a table. */
export interface Matrix {
  readonly rows: readonly End[];
  readonly columns: readonly End[];
  people(from: string, to: string): number;
  readonly rowTotals: ReadonlyMap<string, number>;
  readonly columnTotals: ReadonlyMap<string, number>;
  readonly total: number;
  readonly stayed: number;
  /** Of those who were there at the beginning of the month and changed their place. */
  readonly moved: number;
  readonly arrived: number;
  /** The most people in a cell of those who moved or arrived. */
  readonly most: number;
}

/** One move of a month. */
export interface Move {
  readonly from: string;
  readonly to: string;
  readonly people: number;
}

/**
 * Lays out the moves in the order of the places. Ends without a key, and places
 * that the table no longer has, stand last and only where somebody is.
 */
export function matrixOf(moves: MovesOfMonth['moves'], places: readonly End[], outside: string): Matrix {
  const cells = new Map<string, number>();
  const rowTotals = new Map<string, number>();
  const columnTotals = new Map<string, number>();
  let total = 0;
  let stayed = 0;
  let arrived = 0;
  let most = 0;
  for (const { from, to, people } of moves) {
    cells.set(`${from}→${to}`, people);
    rowTotals.set(from, (rowTotals.get(from) ?? 0) + people);
    columnTotals.set(to, (columnTotals.get(to) ?? 0) + people);
    total += people;
    if (from === to) stayed += people;
    else {
      most = Math.max(most, people);
      if (from === '') arrived += people;
    }
  }
  const known = new Set(places.map((place) => place.key));
  const ends = (totals: ReadonlyMap<string, number>): End[] => [
    ...places.filter((place) => totals.has(place.key)),
    ...[...totals.keys()].filter((key) => key !== '' && !known.has(key)).map((key) => ({ key, name: key })),
    ...(totals.has('') ? [{ key: '', name: outside }] : []),
  ];
  return {
    rows: ends(rowTotals),
    columns: ends(columnTotals),
    people: (from, to) => cells.get(`${from}→${to}`) ?? 0,
    rowTotals,
    columnTotals,
    total,
    stayed,
    moved: total - stayed - arrived,
    arrived,
    most,
  };
}

/** The largest moves between two places, those who stayed or arrived left out. */
export function biggestMoves(moves: MovesOfMonth['moves'], most: number): readonly Move[] {
  return moves
    .filter(({ from, to, people }) => from !== to && from !== '' && people > 0)
    .toSorted((a, b) => b.people - a.people || a.from.localeCompare(b.from) || a.to.localeCompare(b.to))
    .slice(0, most);
}

/** The month before, as many months back as asked: 2026-01 less 1 is 2025-12. */
export function monthBefore(month: string, back: number): string {
  const [year = 1970, number = 1] = month.split('-').map(Number);
  const date = new Date(Date.UTC(year, number - 1 - back, 1));
  return date.toISOString().slice(0, 7);
}

const monthName = new Intl.DateTimeFormat('en-GB', { month: 'long', year: 'numeric', timeZone: 'UTC' });

/** 2026-11 as November 2026. */
export function monthWords(month: string): string {
  return monthName.format(new Date(`${month}-01T00:00:00Z`));
}
