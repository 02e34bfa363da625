import type { CatalogueOverview, FeedState, Standing } from '../../api/catalogue';
import { fixed } from '../../format/number';
import type { Tone } from '../../parts/Tag';

/** Whether an item can be offered, or why not. */
export const standingWords: Readonly<Record<Standing, { readonly word: string; readonly tone: Tone; readonly meaning: string }>> = {
  offered: { word: 'offered', tone: 'better', meaning: 'It can be recommended' },
  'sold-out': { word: 'sold out', tone: 'worse', meaning: 'Its stock is 0' },
  'not-yet': { word: 'not yet', tone: 'warning', meaning: 'Its window has not begun' },
  over: { word: 'over', tone: 'quiet', meaning: 'Its window is over' },
  'feed-gone': { word: 'feed expired', tone: 'worse', meaning: 'Its feed has not succeeded for as long as it says' },
};

/** What the choice of a standing is called. */
export const standingChoices: Readonly<Record<string, string>> = {
  offered: 'Offered',
  'not-offered': 'Not offered',
  'sold-out': 'Sold out',
  'not-yet': 'Not yet available',
  over: 'Not available any more',
  'feed-gone': 'Feed expired',
};

/** A number of pieces; without bound where the catalogue says nothing. */
export const stockWords = (stock: number | undefined | null): string => (stock === undefined || stock === null ? 'unlimited' : stock.toLocaleString('en-GB'));

/** A margin as a share of the price; nothing without a price. */
export const marginShare = (price: number | undefined, margin: number): number | undefined => (price === undefined || price <= 0 ? undefined : margin / price);

/** A band of prices between two quartiles, both included. */
export interface Band {
  readonly label: string;
  readonly from: number;
  readonly to: number;
}

const bandNames = ['Lowest quarter', 'Second quarter', 'Third quarter', 'Highest quarter'] as const;

/** Quarters of the catalogue by price; fewer where prices are the same. */
export function bandsOf(cuts: CatalogueOverview['priceBands']): Band[] {
  return bandNames.flatMap((name, n) => {
    const from = cuts[n];
    const to = cuts[n + 1];
    if (from === undefined || to === undefined || from >= to) return [];
    return [{ label: `${name}: ${fixed(from, 2)} to ${fixed(to, 2)}`, from, to }];
  });
}

/** How a feed stands, the worst first. */
export function feedStanding(state: Pick<FeedState, 'expired' | 'stale' | 'error' | 'rejected' | 'lastRun'>): { readonly word: string; readonly tone: Tone } {
  if (state.expired) return { word: 'expired', tone: 'worse' };
  if (state.error !== undefined && state.error !== '') return { word: 'fails', tone: 'worse' };
  if (state.stale) return { word: 'stale', tone: 'warning' };
  if (state.lastRun === undefined) return { word: 'not run yet', tone: 'quiet' };
  return state.rejected > 0 ? { word: 'with rejects', tone: 'warning' } : { word: 'in order', tone: 'better' };
}

const relatedTitles: Readonly<Record<string, string>> = {
  'bought-with': 'Bought together',
  'bought-after': 'Bought after it',
  'also-bought': 'The same people had',
  similar: 'Alike by content',
  next: 'Comes next in a visit',
  'for-you': 'Speaks for, by taste',
};

/** What a recommender names beside an item. */
export const relatedTitle = (reason: string): string => relatedTitles[reason] ?? reason;

const scoreNames: Readonly<Record<string, string>> = { 'bought-with': 'Lift', 'bought-after': 'Lift', similar: 'Cosine', next: 'Share' };

/** What the scores of a recommender are. */
export const scoreName = (reason: string): string => scoreNames[reason] ?? 'Weight';

const recommenderTitles: Readonly<Record<string, string>> = {
  personal: 'Personal taste',
  next: 'Next item',
  alike: 'Item to item',
  baskets: 'Baskets',
  content: 'Content',
  trending: 'Trending',
  popular: 'Popular',
  latest: 'Latest',
};

/** The name of a model of the build. */
export const recommenderTitle = (name: string): string => recommenderTitles[name] ?? name;

/** A pause in words: 90 minutes, 6 hours, 2 days. */
export function pauseWords(minutes: number): string {
  const [value, unit] = minutes % 1440 === 0 ? [minutes / 1440, 'day'] : minutes % 60 === 0 ? [minutes / 60, 'hour'] : [minutes, 'minute'];
  return value === 1 ? `every ${unit}` : `every ${value.toString()} ${unit}s`;
}
