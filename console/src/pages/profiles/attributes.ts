import { scalarText } from '../../parts/scalar';

/** Attributes that belong together, under a heading. */
export interface AttributeGroup {
  readonly title: string;
  readonly entries: readonly (readonly [name: string, value: unknown])[];
}

const headings: readonly (readonly [title: string, keys: readonly string[]])[] = [
  ['Lifecycle', ['stage', 'lifecycleSegment', 'losses', 'rfmSegment', 'rfm', 'recency', 'frequency', 'monetary', 'daysSinceLastSeen']],
  [
    'Orders and value',
    ['orders', 'spend', 'averageOrder', 'margin', 'spendQuantile', 'discountShare', 'firstOrderAt', 'daysSinceFirstOrder', 'lastOrderAt', 'daysSinceLastOrder', 'orderGapDays'],
  ],
  ['Interest', ['sessions', 'views', 'carts', 'checkouts', 'topCategory', 'categoryAffinity']],
  ['Season', ['peakMonth', 'peakQuarter', 'peakShare', 'orderMonths', 'orderQuarters']],
  ['Channels and devices', ['preferredChannel', 'orderChannel', 'preferredDevice', 'deviceShare', 'messagesSent', 'messagesOpened', 'messagesClicked']],
  ['Referrals', ['referredCustomers', 'referredSpend']],
];

/** The attributes of a person under their headings, each heading in its own order; those that a manager defined come last. */
export function groupedAttributes(attributes: Readonly<Record<string, unknown>>): AttributeGroup[] {
  const known = new Set(headings.flatMap(([, keys]) => keys));
  const own = Object.keys(attributes)
    .filter((name) => !known.has(name))
    .sort();
  return [...headings, ['Defined here', own] as const]
    .map(([title, keys]) => ({ title, entries: keys.filter((name) => attributes[name] !== undefined && attributes[name] !== null).map((name) => [name, attributes[name]] as const) }))
    .filter(({ entries }) => entries.length > 0);
}

/** camelCase as words. */
export function attributeTitle(name: string): string {
  if (name === 'rfm') return 'RFM code';
  if (name === 'rfmSegment') return 'RFM segment';
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const shares: ReadonlySet<string> = new Set(['discountShare', 'peakShare', 'spendQuantile', 'categoryAffinity', 'deviceShare', 'orderMonths', 'orderQuarters']);

function figure(name: string, value: unknown): string {
  if (typeof value !== 'number') return scalarText(value);
  if (shares.has(name)) return `${(value * 100).toFixed(0)}%`;
  return value.toLocaleString('en-GB', { maximumFractionDigits: 2 });
}

/** The value of an attribute for people: lists and weights are written out, the heaviest first. */
export function attributeText(name: string, value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(scalarText).join(', ');
  if (typeof value !== 'object' || value === null) return figure(name, value);
  return Object.entries(value as Record<string, unknown>)
    .sort(([, a], [, b]) => Number(b) - Number(a))
    .map(([part, weight]) => `${part} ${figure(name, weight)}`)
    .join(', ');
}

/** What somebody typed as the value of a trait: JSON where it is some, else a text; nothing is "not known any more". */
export function typedValue(text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  if (!/^(-?\d|true$|false$|null$|[[{"])/.test(trimmed)) return trimmed;
  try {
    const value: unknown = JSON.parse(trimmed);
    // 0049 or 12345678901234567890 would come back as another number.
    return typeof value === 'number' && String(value) !== trimmed ? trimmed : value;
  } catch {
    return trimmed;
  }
}

/** Whether the role sees this value only in part. */
export function isMasked(value: unknown): boolean {
  return typeof value === 'string' && value.includes('•••');
}
