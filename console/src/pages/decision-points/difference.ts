/** A place of two definitions at which they differ; undefined where one has nothing. */
export interface Difference {
  readonly path: string;
  readonly was: string | undefined;
  readonly is: string | undefined;
}

function leaves(value: unknown, path: string, into: Map<string, string>): void {
  if (Array.isArray(value) && value.length > 0) {
    value.forEach((each: unknown, i) => {
      const key = typeof each === 'object' && each !== null && 'key' in each && typeof each.key === 'string' ? each.key : i.toString();
      leaves(each, `${path}[${key}]`, into);
    });
  } else if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0) {
    for (const [name, each] of Object.entries(value)) leaves(each, path === '' ? name : `${path}.${name}`, into);
  } else if (value !== undefined) {
    into.set(path, JSON.stringify(value));
  }
}

/** Where two definitions differ, by place. What has a key is compared with what has the same. */
export function difference(was: unknown, is: unknown): readonly Difference[] {
  const before = new Map<string, string>();
  const after = new Map<string, string>();
  leaves(was, '', before);
  leaves(is, '', after);
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((path) => before.get(path) !== after.get(path))
    .sort()
    .map((path) => ({ path, was: before.get(path), is: after.get(path) }));
}
