/** The same where there is little room: a list or an object is counted, not written out. */
export function briefText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 1 ? '1 entry' : `${value.length.toString()} entries`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.keys(value).length;
    return fields === 1 ? '1 field' : `${fields.toString()} fields`;
  }
  return scalarText(value);
}

/** A value of a trait, a context or a property as one line of text. */
export function scalarText(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return value;
  // The last digits of a binary fraction tell nothing: 27.900000000000002 is 27.9.
  if (typeof value === 'number') return Number(value.toPrecision(12)).toString();
  if (typeof value === 'boolean' || typeof value === 'bigint') return value.toString();
  return JSON.stringify(value);
}
