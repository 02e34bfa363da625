import type { SourceScore } from '../../api/types';
import { axisText, escapeMarkup, tooltipRow, tooltipStyle, valueAxis } from '../../charts/chrome';
import type { ChartOption } from '../../charts/echarts';
import type { Palette } from '../../charts/palette';
import { scoreParts, scoreText } from './words';

/** Scores by day: the total as the strong line, its parts as thin ones. A day without events is a gap. */
export function scoreOption(scores: readonly SourceScore[], days: readonly string[], palette: Palette): ChartOption {
  const at = new Map(scores.map((score) => [score.day, score]));
  const lines = [{ key: 'total' as const, label: 'Score' }, ...scoreParts];
  const values = scores.flatMap((score) => lines.map(({ key }) => score[key])).filter((value) => value !== null);
  // Good scores lie close together: the axis begins a little below the poorest.
  const from = values.length === 0 ? 0 : Math.max(0, Math.floor((Math.min(...values) - 5) / 10) * 10);
  return {
    animation: false,
    grid: { left: 4, right: 14, top: 34, bottom: 6, containLabel: true },
    legend: { top: 0, left: 0, itemWidth: 14, itemHeight: 8, textStyle: axisText(palette), inactiveColor: palette.faint },
    tooltip: {
      ...tooltipStyle(palette),
      trigger: 'axis',
      formatter: (items) => {
        const list = Array.isArray(items) ? items : [items];
        const day = days[list[0]?.dataIndex ?? 0] ?? '';
        const score = at.get(day);
        if (score === undefined) return `${escapeMarkup(day)}: no events`;
        const rows = lines.map(({ key, label }, index) => tooltipRow(colour(index, palette), label, scoreText(score[key])));
        return `<div style="margin-bottom:4px">${escapeMarkup(day)}, ${score.events.toLocaleString('en-GB')} events</div>${rows.join('')}`;
      },
    },
    xAxis: {
      type: 'category',
      data: days.map((day) => day.slice(5)),
      axisLine: { lineStyle: { color: palette.line } },
      axisTick: { show: false },
      axisLabel: { ...axisText(palette), hideOverlap: true },
    },
    yAxis: { ...valueAxis(palette), min: from, max: 100 },
    series: lines.map(({ key, label }, index) => ({
      type: 'line' as const,
      name: label,
      data: days.map((day) => at.get(day)?.[key] ?? '-'),
      color: colour(index, palette),
      symbol: 'circle',
      symbolSize: index === 0 ? 7 : 4,
      showAllSymbol: true,
      lineStyle: { width: index === 0 ? 2.5 : 1 },
      z: index === 0 ? 3 : 2,
    })),
  };
}

function colour(index: number, palette: Palette): string {
  return index === 0 ? palette.accent : (palette.series[index % palette.series.length] ?? palette.other);
}
