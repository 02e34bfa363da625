// The first rows of a file, read in the browser, so that somebody sees what is
// in it before saying what it becomes. The server reads the file by itself.

/** Format of a file by its name; empty when the name does not tell. */
export type FileFormat = 'csv' | 'ndjson' | 'parquet' | '';

/** Columns, or paths with dots, and the values of the first rows. */
export interface Preview {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Of CSV. */
  readonly delimiter: string;
}

/** How much of a file is read for its preview, in bytes. */
export const previewBytes = 128 * 1024;
const maxRows = 5;
const maxColumns = 60;

const formats: Readonly<Record<string, FileFormat>> = {
  csv: 'csv',
  tsv: 'csv',
  txt: 'csv',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  json: 'ndjson',
  parquet: 'parquet',
};

export function formatOf(name: string): FileFormat {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? '' : (formats[name.slice(dot + 1).toLowerCase()] ?? '');
}

/** Reads the beginning of a CSV file; the last record may be cut off when there is more. */
export function previewCsv(text: string, name: string, more: boolean): Preview {
  const body = text.replace(/^\uFEFF/, '');
  const delimiter = guessDelimiter(body, name);
  const records = csvRecords(body, delimiter, maxRows + 1, more);
  const [columns = [], ...rows] = records;
  return { columns: columns.slice(0, maxColumns), rows: rows.slice(0, maxRows), delimiter };
}

/** The character that the first line has most of; a comma when it has none. */
export function guessDelimiter(text: string, name: string): string {
  if (name.toLowerCase().endsWith('.tsv')) return '\t';
  const line = text.slice(0, /\r?\n/.exec(text)?.index ?? text.length).replace(/"[^"]*"/g, '');
  let best = ',';
  let most = line.split(',').length;
  for (const each of [';', '\t', '|']) {
    const parts = line.split(each).length;
    if (parts > most) {
      best = each;
      most = parts;
    }
  }
  return best;
}

function csvRecords(text: string, delimiter: string, limit: number, more: boolean): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let cell = '';
  let quoted = false;
  for (let at = 0; at < text.length && records.length < limit; at++) {
    const character = text.charAt(at);
    if (quoted) {
      if (character !== '"') cell += character;
      else if (text.charAt(at + 1) === '"') {
        cell += '"';
        at++;
      } else quoted = false;
    } else if (character === '"' && cell === '') quoted = true;
    else if (character === delimiter) {
      record.push(cell);
      cell = '';
    } else if (character === '\n') {
      record.push(cell.replace(/\r$/, ''));
      if (record.length > 1 || record[0] !== '') records.push(record);
      record = [];
      cell = '';
    } else cell += character;
  }
  if (!more && records.length < limit && (cell !== '' || record.length > 0)) records.push([...record, cell.replace(/\r$/, '')]);
  return records;
}

/** Reads the beginning of NDJSON; its columns are paths to values that are no objects. */
export function previewNdjson(text: string, more: boolean): Preview {
  const lines = text.split('\n');
  if (more) lines.pop();
  const objects: Map<string, string>[] = [];
  const columns: string[] = [];
  for (const line of lines) {
    if (objects.length >= maxRows) break;
    if (line.trim() === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      continue; // the server says so of each such row
    }
    const flat = new Map<string, string>();
    flatten(value, '', flat, 0);
    if (flat.size === 0) continue;
    for (const path of flat.keys()) if (!columns.includes(path) && columns.length < maxColumns) columns.push(path);
    objects.push(flat);
  }
  return { columns, rows: objects.map((flat) => columns.map((path) => flat.get(path) ?? '')), delimiter: '' };
}

function flatten(value: unknown, path: string, into: Map<string, string>, depth: number): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && depth < 8) {
    for (const [name, inner] of Object.entries(value)) {
      // A name with dots would read as a path; the server takes it in brackets.
      const step = /[.[\]]/.test(name) ? `[${JSON.stringify(name)}]` : name;
      flatten(inner, path === '' || step.startsWith('[') ? path + step : `${path}.${step}`, into, depth + 1);
    }
    return;
  }
  if (path === '') return;
  into.set(path, typeof value === 'string' ? value : JSON.stringify(value));
}
