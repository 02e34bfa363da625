// Numbers as people read them. Every function takes what it needs to choose
// the digits, so that figures that belong together have the same number of them.

const locale = 'en-GB';
const minus = '\u2212';
const narrowSpace = '\u202f';

/** What stands where there is no figure. */
export const noFigure = '–';

function typographic(text: string): string {
  return text.replace('-', minus);
}

/** A whole count: 12,345. */
export function count(value: number | undefined | null): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return noFigure;
  return typographic(Math.round(value).toLocaleString(locale));
}

/** A count for a small place: 950, 12.3k, 4.56M. */
export function compact(value: number): string {
  if (!Number.isFinite(value)) return noFigure;
  const size = Math.abs(value);
  for (const [unit, suffix] of [[1e9, 'B'], [1e6, 'M'], [1e3, 'k']] as const) {
    if (size >= unit) {
      const scaled = value / unit;
      return typographic(scaled.toFixed(Math.abs(scaled) >= 100 ? 0 : Math.abs(scaled) >= 10 ? 1 : 2)) + suffix;
    }
  }
  return typographic(size < 10 && !Number.isInteger(value) ? value.toFixed(2) : Math.round(value).toString());
}

/** The same on an axis, where the steps are round: 1.5k, 2k. */
export function compactTick(value: number): string {
  return compact(value).replace(/\.0+(?=\D|$)|(\.\d*?)0+(?=\D|$)/, '$1');
}

/** A fixed number of decimals, with thousands separated. */
export function fixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return noFigure;
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  const text = value.toLocaleString(locale, options);
  return typographic(/^-0(\.0*)?$/.test(text) ? text.slice(1) : text);
}

/** The same with its sign always shown, so that a difference reads as one. */
export function signed(value: number, decimals: number): string {
  const text = fixed(value, decimals);
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/** A share of one as a percentage: 0.1372 is 13.7%. */
export function percent(share: number | undefined | null, decimals?: number): string {
  if (share === undefined || share === null || !Number.isFinite(share)) return noFigure;
  const scaled = share * 100;
  return `${fixed(scaled, decimals ?? percentDecimals(scaled))}%`;
}

function percentDecimals(scaled: number): number {
  const size = Math.abs(scaled);
  if (size === 0 || size >= 99.95) return 0;
  if (size >= 1) return 1;
  return size >= 0.1 ? 2 : 3;
}

/** A probability as it stands in the log: three significant digits, never rounded to 0 or 1. */
export function probability(value: number | undefined | null): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return noFigure;
  if (value === 0 || value === 1) return value.toString();
  if (value < 0.0001) return value.toExponential(1).replace('e-', `${narrowSpace}×${narrowSpace}10^${minus}`);
  if (value > 0.9995) return value.toFixed(5).replace(/0+$/, '');
  return value >= 0.01 ? value.toFixed(3) : value.toPrecision(2);
}

/** Three significant digits of any figure, for values without a unit of their own. */
export function significant(value: number | undefined | null, digits = 3): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return noFigure;
  if (value === 0) return '0';
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent < -4) return typographic(value.toExponential(digits - 1));
  return fixed(value, Math.max(0, digits - 1 - exponent));
}

/** A p-value: p = 0.023, p < 0.0001. */
export function pValue(value: number | undefined | null): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return noFigure;
  if (value < 0.0001) return '< 0.0001';
  return value >= 0.1 ? value.toFixed(2) : value.toFixed(value >= 0.01 ? 3 : 4);
}

/**
 * Decimals that show the half-width of an interval with two significant
 * digits: more would claim a precision that the data do not have.
 */
export function decimalsFor(halfWidth: number): number {
  if (!Number.isFinite(halfWidth) || halfWidth <= 0) return 2;
  return Math.min(8, Math.max(0, 1 - Math.floor(Math.log10(halfWidth))));
}
