import type { Report } from '../../api/types';

const header = [
  'experiment',
  'metric',
  'kind',
  'windowHours',
  'variant',
  'control',
  'units',
  'mean',
  'standardError',
  'controlUnits',
  'controlMean',
  'controlStandardError',
  'absolute',
  'absoluteLower',
  'absoluteUpper',
  'relative',
  'relativeLower',
  'relativeUpper',
  'pValue',
] as const;

type Cell = string | number | undefined;

function cell(value: Cell): string {
  if (value === undefined) return '';
  const text = value.toString();
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A report as CSV (RFC 4180), a line for each metric and variant, with all digits. */
export function reportCsv(report: Report): string {
  const control = report.arms?.find((arm) => arm.control)?.variant ?? '';
  const lines: Cell[][] = [[...header]];
  for (const metric of report.metrics ?? []) {
    const arms = new Map((metric.arms ?? []).map((arm) => [arm.variant, arm]));
    const base = arms.get(control);
    for (const effect of metric.effects ?? []) {
      const arm = arms.get(effect.variant);
      const { absolute, relative } = effect;
      lines.push([
        report.experiment,
        metric.key,
        metric.kind,
        metric.windowHours,
        effect.variant,
        control,
        arm?.units,
        arm?.mean,
        arm?.standardError,
        base?.units,
        base?.mean,
        base?.standardError,
        absolute?.estimate,
        absolute?.lower,
        absolute?.upper,
        relative?.estimate,
        relative?.lower,
        relative?.upper,
        effect.pValue,
      ]);
    }
  }
  return lines.map((line) => `${line.map(cell).join(',')}\r\n`).join('');
}
