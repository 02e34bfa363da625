import type { Build, PreviewItem, PreviewList, RecommendedItem, ServedLists } from '../../api/recommendations';
import { count, percent, significant } from '../../format/number';

const reasons: Readonly<Record<string, string>> = {
  'for-you': 'fits the person',
  next: 'comes next',
  'also-bought': 'the same people had it',
  'bought-with': 'bought together',
  similar: 'is alike',
  trending: 'trends',
  popular: 'popular',
  new: 'new in the catalogue',
  pinned: 'pinned by a rule',
};

/** Why an item stands in a list, with the items that speak for it. */
export function reasonWords({ reason, because }: Pick<RecommendedItem, 'reason' | 'because'>): string {
  const words = reasons[reason] ?? reason;
  return (because ?? []).length > 0 ? `${words}: ${(because ?? []).join(', ')}` : words;
}

/** The method behind personal lists, or why there is none. */
export function methodWords({ personal, refused }: Build['report']): string {
  switch (personal) {
    case 'ials':
      return 'Factors of people and items (iALS)';
    case 'ease':
      return 'Linear model of items (EASE)';
    default:
      return refused === undefined || refused === '' ? 'None yet' : `None: ${refused}`;
  }
}

/** NDCG at 10 of a recommender, with its interval. */
export function qualityWords(report: Build['report'], recommender: string): string | undefined {
  const figure = (report.figures?.[recommender] ?? []).find(({ measure, k }) => measure === 'NDCG' && k === 10);
  return figure === undefined ? undefined : `${significant(figure.value)} (${significant(figure.lower)} to ${significant(figure.upper)})`;
}

/** Items as they are written into a field: apart by commas or blanks, each once. */
export function itemsOf(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter((item) => item !== ''))];
}

const sources: Readonly<Record<string, string>> = {
  'for-you': 'taste',
  next: 'next item',
  'also-bought': 'item to item',
  'bought-with': 'baskets',
  similar: 'content',
  trending: 'trending',
  popular: 'popular',
  new: 'new',
  pinned: 'pinned',
};

/** A source of candidates in a word. */
export const sourceTitle = (source: string): string => sources[source] ?? source;

/** How much each source adds to an item. */
export const partsWords = ({ parts }: Pick<PreviewItem, 'parts'>): string =>
  parts.map(({ source, share, rank }) => `${sourceTitle(source)} ${percent(share, 0)}${rank === undefined ? '' : ` (its no. ${count(rank)})`}`).join(', ');

/** Where a list comes from, in a sentence or two. */
export function listWords(list: Pick<PreviewList, 'items' | 'personal' | 'fallBack' | 'known' | 'bought' | 'candidates' | 'ranker'>): string {
  if (list.items.length === 0) return 'Nothing in the catalogue can be shown here: see the rules of the placement, and what is in stock.';
  const person = list.personal ? `${count(list.known)} events of the person were used.` : 'Nothing is known of the person.';
  const fallBack = list.fallBack ? ' Only fall-backs: what is popular, trends, is new or pinned.' : '';
  const bought = list.bought > 0 ? `; ${count(list.bought)} were left out because the person bought them` : '';
  const order = list.ranker === undefined ? '' : ` Ranker ${list.ranker.toString()} ordered them.`;
  return `${person}${fallBack} ${count(list.candidates)} candidates${bought}.${order}`;
}

/** Where an item stood before. */
export function moveOf(before: Pick<PreviewList, 'items'>, item: Pick<PreviewItem, 'id' | 'place'>): { readonly kind: 'up' | 'down' | 'new' | 'same'; readonly word: string } {
  const was = before.items.find(({ id }) => id === item.id)?.place;
  if (was === undefined) return { kind: 'new', word: 'new' };
  if (was === item.place) return { kind: 'same', word: '' };
  return was > item.place ? { kind: 'up', word: `up from ${was.toString()}` } : { kind: 'down', word: `down from ${was.toString()}` };
}

/** Of the items that were asked for, the share that was given. */
export const fillRate = ({ asked, given }: Pick<ServedLists['placements'][number], 'asked' | 'given'>): number | undefined => (asked === 0 ? undefined : given / asked);

/** Measures of a recommender by name, at lists of ten. */
export function figureOf(report: Build['report'], recommender: string, measure: string) {
  return (report.figures?.[recommender] ?? []).find((figure) => figure.measure === measure && figure.k === 10);
}
