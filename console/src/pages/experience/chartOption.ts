import type { MetricKey } from '../../api/experience';
import type { ExperienceRow } from '../../api/types';
import { axisText, escapeMarkup, tooltipRow, tooltipStyle, valueAxis } from '../../charts/chrome';
import type { ChartOption } from '../../charts/echarts';
import type { Palette } from '../../charts/palette';
import { byCurrency, intervalWords, metricShapes, partsWords, periodWords, valueWords } from './metrics';

type Point = number | null;

/** Figures of the periods as a line in the band of their intervals; a period without a figure is a gap. */
export function experienceOption(metric: MetricKey, period: string, rows: readonly ExperienceRow[], palette: Palette): ChartOption {
  const { format } = metricShapes[metric];
  const starts = [...new Set(rows.map((row) => row.from))].sort();
  const groups = [...byCurrency(rows)];
  return {
    animation: false,
    grid: { left: 4, right: 14, top: groups.length > 1 ? 34 : 12, bottom: 10, containLabel: true },
    ...(groups.length > 1
      ? { legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 9, data: groups.map(([currency]) => currency), textStyle: axisText(palette) } }
      : {}),
    tooltip: {
      ...tooltipStyle(palette),
      trigger: 'axis',
      formatter: (items) => {
        const list = Array.isArray(items) ? items : [items];
        const start = starts[list[0]?.dataIndex ?? 0] ?? '';
        const told = rows.filter((row) => row.from === start);
        const lines = told.map((row, index) =>
          [
            tooltipRow(palette.series[index % palette.series.length] ?? palette.accent, metricShapes[metric].name, escapeMarkup(valueWords(metric, row))),
            `<div style="color:${palette.muted}">95% interval ${escapeMarkup(intervalWords(metric, row))}</div>`,
            `<div style="color:${palette.muted}">${escapeMarkup(partsWords(metric, row))}</div>`,
          ].join(''),
        );
        const running = told.some((row) => !row.complete) ? ', not ended' : '';
        return `<div style="margin-bottom:4px">${escapeMarkup(periodWords(start, period))}${running}</div>${lines.join('')}`;
      },
    },
    xAxis: {
      type: 'category',
      data: starts.map((start) => periodWords(start, period).replace(/^week of /, '')),
      boundaryGap: true,
      axisLine: { lineStyle: { color: palette.line } },
      axisTick: { show: false },
      axisLabel: { ...axisText(palette), hideOverlap: true },
    },
    yAxis: { ...valueAxis(palette), scale: true, axisLabel: { ...axisText(palette), formatter: (value: number) => format(value).replace(/\.0+(?=%?$)/, '') } },
    series: groups.flatMap(([currency, list], index) => {
      const colour = palette.series[index % palette.series.length] ?? palette.accent;
      const at = new Map(list.map((row) => [row.from, row]));
      const points = starts.map((start) => at.get(start));
      const both = (row: ExperienceRow | undefined) => row?.lower !== undefined && row.upper !== undefined;
      const lower: Point[] = points.map((row) => (both(row) ? (row?.lower ?? null) : null));
      const width: Point[] = points.map((row) => (both(row) ? (row?.upper ?? 0) - (row?.lower ?? 0) : null));
      const edge = {
        type: 'line' as const,
        stack: `band ${currency}`,
        // Bounds below zero are stacked as those above.
        stackStrategy: 'all' as const,
        // The short strokes show the interval of a period that stands alone.
        symbol: 'rect',
        symbolSize: [9, 1.5],
        showAllSymbol: true,
        itemStyle: { color: colour, opacity: 0.6 },
        lineStyle: { opacity: 0 },
        silent: true,
      };
      return [
        { ...edge, name: `${currency} lower`, data: lower },
        { ...edge, name: `${currency} upper`, data: width, areaStyle: { color: colour, opacity: 0.16 } },
        {
          type: 'line' as const,
          name: currency,
          data: points.map((row) => ({
            value: row?.value ?? '-',
            // A period that has not ended is hollow: its figure is not final.
            itemStyle: row?.complete === false ? { color: palette.surface, borderColor: colour, borderWidth: 2 } : { color: colour },
          })),
          symbol: 'circle',
          symbolSize: 7,
          showAllSymbol: true,
          lineStyle: { color: colour, width: 2 },
          itemStyle: { color: colour },
          z: 3,
        },
      ];
    }),
  };
}
