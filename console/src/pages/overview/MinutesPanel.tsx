import { useMemo } from 'react';
import type { MinuteCount } from '../../api/types';
import { LazyChart } from '../../charts/LazyChart';
import { axisText, timeAxis, tooltipRow, tooltipStyle, valueAxis } from '../../charts/chrome';
import type { ChartOption } from '../../charts/echarts';
import { usePalette } from '../../charts/usePalette';
import type { Palette } from '../../charts/palette';
import { compactTick, count } from '../../format/number';
import { hourMinute } from '../../format/time';
import { Panel } from '../../parts/Panel';
import { filledMinutes, minuteWindow } from './minutes';

const groups = ['treated', 'control', 'holdout'] as const;

export function MinutesPanel({ minutes }: { readonly minutes: readonly MinuteCount[] }) {
  const palette = usePalette();
  const drawn = useMemo(() => {
    const now = Date.now();
    return filledMinutes(minutes, now, minuteWindow(minutes, now));
  }, [minutes]);
  const option = useMemo(() => minutesOption(drawn, palette), [drawn, palette]);
  return (
    <Panel title="Decisions per minute" note={`By group, the last ${drawn.length.toString()} minutes. The last bar is the minute that is running.`}>
      <LazyChart option={option} height={214} label="Decisions per minute by group" />
    </Panel>
  );
}

function minutesOption(minutes: readonly MinuteCount[], palette: Palette): ChartOption {
  const last = minutes.length - 1;
  return {
    animation: false,
    grid: { left: 4, right: 6, top: 30, bottom: 2, containLabel: true },
    legend: { top: 0, left: 0, itemWidth: 9, itemHeight: 9, itemGap: 16, icon: 'roundRect', textStyle: axisText(palette) },
    tooltip: {
      ...tooltipStyle(palette),
      trigger: 'axis',
      axisPointer: { type: 'shadow', shadowStyle: { color: palette.raised, opacity: 0.6 } },
      formatter: (items) => {
        const list = Array.isArray(items) ? items : [items];
        const minute = minutes[list[0]?.dataIndex ?? 0];
        if (minute === undefined) return '';
        const rows = groups.map((group) => tooltipRow(palette[group], group, count(minute[group])));
        return `<div style="margin-bottom:4px">${hourMinute(minute.minute)} · ${count(minute.total)} decisions</div>${rows.join('')}`;
      },
    },
    xAxis: timeAxis(palette),
    yAxis: { ...valueAxis(palette), minInterval: 1, axisLabel: { ...axisText(palette), formatter: (value: number) => compactTick(value) } },
    series: groups.map((group) => ({
      type: 'bar',
      name: group,
      stack: 'minute',
      barWidth: '72%',
      itemStyle: { color: palette[group] },
      data: minutes.map((minute, index) => ({
        value: [minute.minute, minute[group]],
        itemStyle: { opacity: index === last ? 0.5 : 1 },
      })),
    })),
  };
}
