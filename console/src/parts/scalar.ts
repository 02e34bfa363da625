/** A value of a trait, a context or a property as one line of text. */
export function scalarText(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return value;
  // The last digits of a binary fraction tell nothing: 27.900000000000002 is 27.9.
  if (typeof value === 'number') return Number(value.toPrecision(12)).toString();
  if (typeof value === 'boolean' || typeof value === 'bigint') return value.toString();
  return JSON.stringify(value);
}
