import type { EventSource, FieldQuality, Quarantined, SourceScore } from '../../api/types';
import type { Tone } from '../../parts/Tag';

/** What a source is called where people read it. */
export function sourceTitle(source: Pick<EventSource, 'id' | 'name'>): string {
  if (source.id === 'system') return 'The service itself';
  return source.name !== undefined && source.name !== '' ? source.name : source.id;
}

/** What kind of sender an id stands for. */
export function sourceKind(id: string): string {
  if (id === 'system') return 'built in';
  if (id.startsWith('webhook:')) return 'webhook';
  return id.startsWith('stream:') ? 'stream' : 'API key';
}

/** The parts of a score with what they are, in the order of their weight. */
export const scoreParts = [
  { key: 'completeness', label: 'Completeness', weight: 25, meaning: 'Of the values that were to be expected, the share that was there' },
  { key: 'validity', label: 'Validity', weight: 25, meaning: 'Values that keep their schema or the usual form, times messages that were accepted' },
  { key: 'timeliness', label: 'Timeliness', weight: 20, meaning: 'Events within an hour after they happened, and in their profile within a second' },
  { key: 'uniqueness', label: 'Uniqueness', weight: 15, meaning: 'Messages that were not sent again' },
  { key: 'consistency', label: 'Consistency', weight: 15, meaning: 'Values of the type that their field has in all sources together' },
] as const satisfies readonly { key: keyof SourceScore; label: string; weight: number; meaning: string }[];

/** From which score on a source is in order; below the second one it is not. */
export const goodScore = 90;
export const poorScore = 80;

export function scoreTone(total: number | null | undefined): Tone {
  if (total === null || total === undefined) return 'quiet';
  if (total >= goodScore) return 'better';
  return total >= poorScore ? 'warning' : 'worse';
}

/** A score with one decimal; it is out of 100. */
export function scoreText(total: number | null | undefined): string {
  return total === null || total === undefined ? '–' : total.toFixed(1);
}

/** Types of a field by frequency: "number", or "number 98%, text 2%". */
export function typeWords(types: FieldQuality['types']): string {
  const all = Object.values(types).reduce((sum, each) => sum + each, 0);
  const sorted = Object.entries(types)
    .filter(([, values]) => values > 0)
    .sort(([, a], [, b]) => b - a);
  const [only] = sorted;
  if (only === undefined) return 'always empty';
  if (sorted.length === 1) return only[0];
  return sorted.map(([type, values]) => `${type} ${shareWords(values / all)}`).join(', ');
}

function shareWords(share: number): string {
  if (share < 0.01) return '<1%';
  if (share > 0.99) return '>99%';
  return `${Math.round(share * 100).toString()}%`;
}

const formatNames: Readonly<Record<string, string>> = { date: 'dates', email: 'e-mail addresses', phone: 'phone numbers', card: 'payment cards', ip: 'IP addresses' };

/** What the texts of a field look like where that says something: at least one in twenty. */
export function formatWords(field: Pick<FieldQuality, 'formats' | 'types'>): string {
  const texts = field.types['text'] ?? 0;
  return Object.entries(field.formats)
    .filter(([, values]) => texts > 0 && values / texts >= 0.05)
    .sort(([, a], [, b]) => b - a)
    .map(([format, values]) => (values === texts ? (formatNames[format] ?? format) : `${shareWords(values / texts)} ${formatNames[format] ?? format}`))
    .join(', ');
}

/** Why a field counts as personal. */
export const personalReasons: Readonly<Record<NonNullable<FieldQuality['personalWhy']>, string>> = {
  declared: 'It is declared to be personal',
  name: 'Its name tells',
  format: 'Its texts look like addresses, phones, cards or IP addresses',
};

export const causes: Readonly<Record<Quarantined['cause'], { readonly label: string; readonly meaning: string }>> = {
  rule: { label: 'rule', meaning: 'It breaks a rule of the API' },
  schema: { label: 'schema', meaning: 'It breaks the schema of its event' },
  mapping: { label: 'mapping', meaning: 'The mapping of the webhook does not fit it' },
  record: { label: 'record', meaning: 'A reader of the stream cannot decode it' },
};

export const statusTones: Readonly<Record<Quarantined['status'], Tone>> = { open: 'warning', replaying: 'accent', replayed: 'better', discarded: 'quiet' };

/** A JSON merge patch from a text: nothing when it is empty, or what is wrong with it. */
export function readPatch(text: string): { readonly patch: unknown } | { readonly wrong: string } {
  if (text.trim() === '') return { patch: undefined };
  try {
    const patch: unknown = JSON.parse(text);
    if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return { wrong: 'A correction is an object, such as {"event": "Order Completed"}' };
    return { patch };
  } catch (error) {
    return { wrong: `This is not JSON: ${error instanceof Error ? error.message : ''}` };
  }
}

/** The day so many days before another one, as YYYY-MM-DD in UTC. */
export function dayBefore(now: Date, days: number): string {
  return new Date(now.getTime() - days * 86_400_000).toISOString().slice(0, 10);
}
