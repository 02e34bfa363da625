import type { Finding } from '../../api/problem';

/** A record of a CSV text: where it begins and what it says. */
export interface CsvRecord {
  /** Line of the text on which it begins, from 1. */
  readonly line: number;
  readonly text: string;
}

/** The records of a CSV text, the header first; empty lines are none, and quotes may hold line ends. */
export function records(csv: string): readonly CsvRecord[] {
  const found: CsvRecord[] = [];
  let text = '';
  let start = 1;
  let line = 1;
  let quoted = false;
  const end = () => {
    if (text !== '') found.push({ line: start, text });
    text = '';
  };
  for (const character of csv.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')) {
    if (character === '"') quoted = !quoted;
    if (character === '\n') line++;
    if (character === '\n' && !quoted) {
      end();
      start = line;
    } else text += character;
  }
  end();
  return found;
}

/** What is wrong with one record, or with the whole text when there is no line. */
export interface SpendFault {
  readonly line: number | null;
  readonly text: string;
  readonly field: string;
  readonly rule: string;
}

/** Takes the service's findings back to the lines of the text that was sent. */
export function spendFaults(csv: string, findings: readonly Finding[]): readonly SpendFault[] {
  const list = records(csv);
  const at = (index: number) => list[index + 1]; // the first is the header
  return findings.map(({ location, message }) => {
    const rule = message.replace(/rows\[(\d+)\]/g, (whole, index: string) => {
      const other = at(Number(index));
      return other === undefined ? whole : `line ${other.line.toString()}`;
    });
    const row = /^rows\[(\d+)\](?:\.(\w+))?$/.exec(location);
    if (row === null) {
      const header = location === 'header' ? list[0] : undefined;
      return { line: header?.line ?? null, text: header?.text ?? '', field: location === 'body' ? '' : location, rule };
    }
    const record = at(Number(row[1]));
    return { line: record?.line ?? null, text: record?.text ?? '', field: row[2] ?? '', rule };
  });
}
