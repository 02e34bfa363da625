import { axisText, timeAxis, tooltipRow, tooltipStyle, valueAxis } from '../../charts/chrome';
import type { ChartOption } from '../../charts/echarts';
import type { Palette } from '../../charts/palette';
import { count, percent } from '../../format/number';
import { dayAndTime } from '../../format/time';
import { otherBand, type Bands } from './activity';

/** A colour for each band; sending nothing and the rest are grey, as they are no message. */
export function bandColours(bands: Bands, palette: Palette): ReadonlyMap<string, string> {
  const colours = new Map<string, string>();
  let next = 0;
  for (const { name } of bands.bands) {
    if (name === 'none') colours.set(name, palette.none);
    else if (name === otherBand) colours.set(name, palette.other);
    else colours.set(name, palette.series[next++ % palette.series.length] ?? palette.other);
  }
  return colours;
}

export function activityOption(bands: Bands, colours: ReadonlyMap<string, string>, palette: Palette): ChartOption {
  const few = bands.at.length < 3;
  const colour = (name: string) => colours.get(name) ?? palette.other;
  return {
    animation: false,
    grid: { left: 4, right: 10, top: 8, bottom: 2, containLabel: true },
    tooltip: {
      ...tooltipStyle(palette),
      trigger: 'axis',
      axisPointer: { lineStyle: { color: palette.muted } },
      formatter: (items) => {
        const index = (Array.isArray(items) ? items[0] : items)?.dataIndex ?? 0;
        const at = bands.at[index];
        if (at === undefined) return '';
        const rows = bands.bands
          .filter((band) => (band.shares[index] ?? 0) > 0)
          .map((band) => tooltipRow(colour(band.name), band.name, percent(band.shares[index])));
        const head = `${dayAndTime(new Date(at).toISOString())} · ${count(bands.decisions[index])} decisions`;
        return `<div style="margin-bottom:4px">${head}</div>${rows.join('')}`;
      },
    },
    xAxis: timeAxis(palette),
    yAxis: {
      ...valueAxis(palette),
      min: 0,
      max: 1,
      interval: 0.25,
      axisLabel: { ...axisText(palette), formatter: (value: number) => percent(value, 0) },
    },
    series: bands.bands.map((band) => ({
      type: few ? 'bar' : 'line',
      name: band.name,
      stack: 'actions',
      symbol: 'none',
      lineStyle: { width: 1, color: palette.surface },
      areaStyle: { color: colour(band.name), opacity: 0.92 },
      itemStyle: { color: colour(band.name) },
      barMaxWidth: 60,
      emphasis: { disabled: true },
      data: band.shares.map((share, index) => [bands.at[index] ?? 0, share]),
    })),
  };
}
