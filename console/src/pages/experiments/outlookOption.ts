import type { PlanAnswer } from '../../api/types';
import { axisText, tooltipRow, tooltipStyle, valueAxis } from '../../charts/chrome';
import type { ChartOption } from '../../charts/echarts';
import type { Palette } from '../../charts/palette';
import { count, percent } from '../../format/number';

/** Power week by week, with the line that the plan aims at. */
export function outlookOption(outlook: PlanAnswer['outlook'], power: number, palette: Palette): ChartOption {
  const weeks = outlook ?? [];
  return {
    animation: false,
    grid: { left: 4, right: 14, top: 12, bottom: 6, containLabel: true },
    tooltip: {
      ...tooltipStyle(palette),
      trigger: 'axis',
      formatter: (items) => {
        const week = weeks[(Array.isArray(items) ? items[0] : items)?.dataIndex ?? 0];
        if (week === undefined) return '';
        const smallest = week.minimumEffect === undefined ? 'none' : percent(week.minimumEffect, 1);
        return `<div style="margin-bottom:4px">Week ${week.week.toString()}, ${count(week.people)} people</div>${tooltipRow(palette.accent, 'Chance to see the effect', percent(week.power, 0))}${tooltipRow(palette.faint, 'Smallest effect seen', smallest)}`;
      },
    },
    xAxis: { type: 'category', data: weeks.map(({ week }) => `week ${week.toString()}`), axisLine: { lineStyle: { color: palette.line } }, axisTick: { show: false }, axisLabel: { ...axisText(palette), hideOverlap: true } },
    yAxis: { ...valueAxis(palette), min: 0, max: 1, interval: 0.25, axisLabel: { ...axisText(palette), formatter: (value: number) => percent(value, 0) } },
    series: [
      { type: 'line', name: 'aim', data: weeks.map(() => power), symbol: 'none', silent: true, lineStyle: { color: palette.muted, width: 1, type: 'dashed' } },
      {
        type: 'bar',
        name: 'power',
        data: weeks.map((week) => ({ value: week.power, itemStyle: { color: week.power >= power ? palette.accent : palette.none, borderRadius: [3, 3, 0, 0] } })),
        barMaxWidth: 28,
      },
    ],
  };
}
