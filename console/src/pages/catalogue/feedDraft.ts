import type { Feed, FeedBody } from '../../api/catalogue';

export const formats = ['csv', 'ndjson', 'json', 'xml'] as const;
export const gones = ['sold-out', 'delete', 'keep'] as const;
export const fields = ['id', 'name', 'text', 'category', 'price', 'cost', 'stock', 'imageUrl', 'availableFrom', 'availableUntil'] as const;

/** A feed as it is edited. */
export interface FeedDraft {
  readonly name: string;
  readonly url: string;
  readonly format: (typeof formats)[number];
  /** A header per line: Name: value. */
  readonly headers: string;
  readonly everyMinutes: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly gone: (typeof gones)[number];
  readonly expireHours: number;
  readonly paused: boolean;
}

/** The draft of a feed, or of a new one. */
export function draftOf(feed?: Feed): FeedDraft {
  return {
    name: feed?.name ?? '',
    url: feed?.url ?? '',
    format: feed?.format ?? 'csv',
    headers: Object.entries(feed?.headers ?? {})
      .map(([name, value]) => `${name}: ${value}`)
      .join('\n'),
    everyMinutes: feed?.everyMinutes ?? 60,
    fields: feed?.fields ?? {},
    gone: feed?.gone ?? 'sold-out',
    expireHours: feed?.expireHours ?? 0,
    paused: feed?.paused ?? false,
  };
}

/** Headers from their lines, or the line that is none. */
export function headersOf(text: string): { readonly headers: Record<string, string> } | { readonly wrong: string } {
  const headers: Record<string, string> = {};
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (line === '') continue;
    const at = line.indexOf(':');
    if (at <= 0) return { wrong: `must have a name and a value in every line, such as Authorization: Bearer …; ${line} has none` };
    headers[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return { headers };
}

/** What is sent for a draft; its headers must have been read. */
export function bodyOf(draft: FeedDraft, headers: Readonly<Record<string, string>>): FeedBody {
  const mapped = Object.fromEntries(Object.entries(draft.fields).filter(([, column]) => column.trim() !== ''));
  return {
    url: draft.url.trim(),
    format: draft.format,
    everyMinutes: draft.everyMinutes,
    gone: draft.gone,
    ...(draft.name.trim() === '' ? {} : { name: draft.name.trim() }),
    ...(Object.keys(headers).length === 0 ? {} : { headers: { ...headers } }),
    ...(Object.keys(mapped).length === 0 ? {} : { fields: mapped }),
    ...(draft.expireHours > 0 ? { expireHours: draft.expireHours } : {}),
    ...(draft.paused ? { paused: true } : {}),
  };
}
