import type { SeriesPoint } from '../../api/types';
import { axisText, escapeMarkup, tooltipRow, tooltipStyle, valueAxis } from '../../charts/chrome';
import type { ChartOption } from '../../charts/echarts';
import type { Palette } from '../../charts/palette';
import { niceStep } from '../../charts/scale';
import { effectText, effectTick, type EffectMode } from '../../format/effect';
import { count } from '../../format/number';

/** One variant's effect by day: the line in its always-valid band, and the line of no effect. */
export function seriesOption(points: readonly SeriesPoint[], kind: string, mode: EffectMode, palette: Palette): ChartOption {
  const days = points.map(({ day }) => day);
  const at = points.map((point) => (mode === 'relative' ? point.relative : point.absolute));
  const last = at.at(-1);
  // The first days are so wide that they would hide the rest: the axis is that of the later half.
  const later = at.slice(Math.floor(at.length / 2)).flatMap((interval) => (interval === undefined ? [] : [interval.lower, interval.upper]));
  const widest = later.length === 0 ? 1 : Math.max(...later.map(Math.abs)) * 1.1;
  const step = niceStep(widest, 3);
  const reach = Math.ceil(widest / step) * step;
  const clip = (value: number) => Math.min(reach, Math.max(-reach, value));
  const colour = last === undefined || (last.lower <= 0 && last.upper >= 0) ? palette.unclear : palette.accent;
  const edge = { type: 'line' as const, stack: 'band', stackStrategy: 'all' as const, symbol: 'rect', symbolSize: [9, 1.5], showAllSymbol: true, itemStyle: { color: colour, opacity: 0.6 }, lineStyle: { opacity: 0 }, silent: true };
  return {
    animation: false,
    grid: { left: 4, right: 14, top: 12, bottom: 6, containLabel: true },
    tooltip: {
      ...tooltipStyle(palette),
      trigger: 'axis',
      formatter: (items) => {
        const index = (Array.isArray(items) ? items[0] : items)?.dataIndex ?? 0;
        const interval = at[index];
        const head = `<div style="margin-bottom:4px">${escapeMarkup(days[index] ?? '')}, ${count(points[index]?.units)} people</div>`;
        if (interval === undefined) return `${head}no figure yet`;
        const text = effectText(interval, kind, mode);
        return `${head}${tooltipRow(colour, 'Effect', escapeMarkup(text.estimate))}<div style="color:${palette.muted}">always valid: ${escapeMarkup(text.interval)}</div>`;
      },
    },
    xAxis: { type: 'category', data: days.map((day) => day.slice(5)), axisLine: { lineStyle: { color: palette.line } }, axisTick: { show: false }, axisLabel: { ...axisText(palette), hideOverlap: true } },
    yAxis: { ...valueAxis(palette), min: -reach, max: reach, interval: step, axisLabel: { ...axisText(palette), formatter: effectTick(kind, mode) } },
    series: [
      { ...edge, name: 'lower', data: at.map((interval) => (interval === undefined ? '-' : clip(interval.lower))) },
      {
        ...edge,
        name: 'upper',
        data: at.map((interval) => (interval === undefined ? '-' : clip(interval.upper) - clip(interval.lower))),
        areaStyle: { color: colour, opacity: 0.18 },
      },
      { type: 'line', name: 'no effect', data: days.map(() => 0), symbol: 'none', silent: true, lineStyle: { color: palette.muted, width: 1, type: 'dashed' } },
      {
        type: 'line',
        name: 'effect',
        data: at.map((interval) => (interval === undefined ? '-' : clip(interval.estimate))),
        symbol: 'circle',
        symbolSize: 6,
        showAllSymbol: points.length <= 31,
        color: colour,
        lineStyle: { width: 2 },
      },
    ],
  };
}
