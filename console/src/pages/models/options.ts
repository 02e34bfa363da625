import { axisText, tooltipRow, tooltipStyle, valueAxis } from '../../charts/chrome';
import type { ChartOption } from '../../charts/echarts';
import type { Palette } from '../../charts/palette';

/** A point of a curve, with an interval where there is one. */
export interface CurvePoint {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
  /** What it is compared with at the same place. */
  readonly reference?: number;
}

interface CurveWords {
  readonly line: string;
  readonly reference: string;
  readonly x: string;
  readonly formatX: (value: number) => string;
  readonly formatY: (value: number) => string;
}

interface CurveShape {
  readonly maxX?: number;
  /** Both axes are shares of one. */
  readonly shares?: boolean;
  /** Points are marked where there are few of them. */
  readonly marked?: boolean;
}

/** A curve with its interval as a band, beside what it is compared with as a broken line. */
export function curveOption(points: readonly CurvePoint[], words: CurveWords, palette: Palette, { maxX, shares = false, marked = false }: CurveShape = {}): ChartOption {
  const banded = points.every(({ low, high }) => low !== undefined && high !== undefined);
  const compared = points.some(({ reference }) => reference !== undefined);
  const whole = shares ? { min: 0, max: 1, interval: 0.25 } : {};
  const [colour = palette.accent] = palette.series;
  return {
    animation: false,
    grid: { left: 8, right: 16, top: 12, bottom: 22, containLabel: true },
    tooltip: {
      ...tooltipStyle(palette),
      trigger: 'axis',
      axisPointer: { lineStyle: { color: palette.muted } },
      formatter: (items) => {
        const point = points[(Array.isArray(items) ? items[0] : items)?.dataIndex ?? 0];
        if (point === undefined) return '';
        const range = point.low !== undefined && point.high !== undefined ? ` (${words.formatY(point.low)} to ${words.formatY(point.high)})` : '';
        const rows = [tooltipRow(colour, words.line, words.formatY(point.y) + range)];
        if (point.reference !== undefined) rows.push(tooltipRow(palette.muted, words.reference, words.formatY(point.reference)));
        return `<div style="margin-bottom:4px">${words.x} ${words.formatX(point.x)}</div>${rows.join('')}`;
      },
    },
    xAxis: {
      ...valueAxis(palette),
      name: words.x,
      nameLocation: 'middle',
      nameGap: 22,
      nameTextStyle: axisText(palette),
      splitLine: { show: false },
      axisLabel: { ...axisText(palette), formatter: words.formatX, hideOverlap: true },
      ...(maxX === undefined ? {} : { max: maxX }),
      ...whole,
    },
    yAxis: { ...valueAxis(palette), axisLabel: { ...axisText(palette), formatter: words.formatY }, ...whole },
    series: [
      ...(banded
        ? [
            { type: 'line' as const, name: 'from', stack: 'band', stackStrategy: 'all' as const, symbol: 'none', silent: true, lineStyle: { opacity: 0 }, data: points.map(({ x, low }) => [x, low ?? 0]) },
            {
              type: 'line' as const,
              name: 'to',
              stack: 'band',
              stackStrategy: 'all' as const,
              symbol: 'none',
              silent: true,
              lineStyle: { opacity: 0 },
              areaStyle: { color: colour, opacity: 0.16 },
              data: points.map(({ x, low, high }) => [x, (high ?? 0) - (low ?? 0)]),
            },
          ]
        : []),
      ...(compared
        ? [
            {
              type: 'line' as const,
              name: words.reference,
              symbol: 'none',
              lineStyle: { width: 1.5, type: 'dashed' as const, color: palette.muted },
              itemStyle: { color: palette.muted },
              data: points.map(({ x, reference }) => [x, reference ?? 0]),
            },
          ]
        : []),
      {
        type: 'line',
        name: words.line,
        symbol: marked ? 'circle' : 'none',
        symbolSize: 6,
        lineStyle: { width: 2, color: colour },
        itemStyle: { color: colour },
        emphasis: { disabled: true },
        data: points.map(({ x, y }) => [x, y]),
      },
    ],
  };
}
