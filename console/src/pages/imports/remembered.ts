// The service does not give a mapping back. To go on with an import that was
// stopped, the same one is needed; the browser keeps those it sent last.

const place = 'quintet.import-mappings';
const most = 20;

type Entry = readonly [id: string, mapping: string];

function entries(): readonly Entry[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(place) ?? '[]');
    if (!Array.isArray(kept)) return [];
    return kept.filter((each): each is Entry => Array.isArray(each) && typeof each[0] === 'string' && typeof each[1] === 'string');
  } catch {
    return [];
  }
}

/** The mapping that an import of this browser was sent with; empty when it is not known. */
export function rememberedMapping(id: string): string {
  return entries().find(([each]) => each === id)?.[1] ?? '';
}

export function rememberMapping(id: string, mapping: string): void {
  const kept: readonly Entry[] = [[id, mapping] as const, ...entries().filter(([each]) => each !== id)].slice(0, most);
  try {
    localStorage.setItem(place, JSON.stringify(kept));
  } catch {
    // A full or forbidden store costs the convenience and nothing else.
  }
}
