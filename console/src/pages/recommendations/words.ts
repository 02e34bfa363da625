import type { Build, RecommendedItem } from '../../api/recommendations';
import { significant } from '../../format/number';

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
