import type { Interval } from '../charts/scale';
import { decimalsFor, fixed, noFigure, signed } from './number';

/** Whether an effect is a difference or a difference in relation to the control. */
export type EffectMode = 'absolute' | 'relative';

/** An effect in words: the digits fit the interval's width, the unit stands once. */
export interface EffectText {
  readonly estimate: string;
  readonly interval: string;
  readonly unit: string;
}

/** Kinds of metrics whose values are shares of people. */
export function isShare(kind: string): boolean {
  return kind === 'proportion' || kind === 'retention' || kind === 'funnel';
}

function unitOf(kind: string, mode: EffectMode): { readonly factor: number; readonly unit: string } {
  if (mode === 'relative') return { factor: 100, unit: '%' };
  // A difference of two percentages is not a percentage of anything.
  return isShare(kind) ? { factor: 100, unit: 'pp' } : { factor: 1, unit: '' };
}

export function effectText(effect: Interval, kind: string, mode: EffectMode): EffectText {
  const { factor, unit } = unitOf(kind, mode);
  const half = (Math.abs(effect.upper - effect.lower) / 2) * factor;
  const decimals = effectDecimals([effect.estimate, effect.lower, effect.upper], factor, decimalsFor(half));
  const show = (value: number) => signed(value * factor, decimals);
  return {
    estimate: `${show(effect.estimate)}${unit === '%' ? '%' : unit === '' ? '' : ` ${unit}`}`,
    interval: `${show(effect.lower)} to ${show(effect.upper)}`,
    unit,
  };
}

// A bound just beside zero must not be shown as zero: that is the digit that
// the reading of the interval hangs on.
function effectDecimals(values: readonly number[], factor: number, least: number): number {
  let decimals = least;
  const hidden = (value: number) => value !== 0 && Math.abs(value * factor) < 0.5 / 10 ** decimals;
  while (decimals < least + 3 && values.some(hidden)) decimals++;
  return decimals;
}

/** An axis figure in the unit of the effect. */
export function effectTick(kind: string, mode: EffectMode): (value: number) => string {
  const { factor, unit } = unitOf(kind, mode);
  return (value) => {
    const scaled = value * factor;
    const text = scaled > 0 ? `+${levelTick(scaled)}` : levelTick(scaled);
    if (unit === '%') return `${text}%`;
    // A unit of letters stands once, at zero, where there is room for it.
    return unit !== '' && scaled === 0 ? `${text} ${unit}` : text;
  };
}

/** An axis figure of a level: no sign of its own, and no more decimals than it has. */
export function levelTick(value: number): string {
  return fixed(value, tickDecimals(value));
}

function tickDecimals(value: number): number {
  const text = Number(Math.abs(value).toPrecision(3)).toString();
  const dot = text.indexOf('.');
  return dot === -1 || text.includes('e') ? 0 : text.length - dot - 1;
}

/** The mean of a metric in an arm, with the digits that its standard error supports. */
export function meanText(mean: number | undefined, standardError: number | undefined, kind: string): string {
  if (mean === undefined) return noFigure;
  const proportion = isShare(kind);
  const factor = proportion ? 100 : 1;
  const decimals = decimalsFor((standardError ?? 0) * 1.96 * factor);
  return `${fixed(mean * factor, decimals)}${proportion ? '%' : ''}`;
}
