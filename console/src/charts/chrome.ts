import type { Palette } from './palette';

const font = "'Inter Variable', system-ui, sans-serif";

/** Text style of axes and legends. */
export function axisText(palette: Palette) {
  return { color: palette.muted, fontSize: 11, fontFamily: font };
}

/** A tooltip that looks like the rest of the page. */
export function tooltipStyle(palette: Palette) {
  return {
    backgroundColor: palette.surface,
    borderColor: palette.line,
    borderWidth: 1,
    confine: true,
    padding: [8, 10],
    textStyle: { color: palette.text, fontSize: 12, fontFamily: font },
    extraCssText: 'box-shadow: 0 6px 24px rgb(0 0 0 / 14%); border-radius: 8px; font-variant-numeric: tabular-nums;',
  };
}

/** A time axis without clutter. */
export function timeAxis(palette: Palette) {
  return {
    type: 'time' as const,
    axisLine: { lineStyle: { color: palette.line } },
    axisTick: { show: false },
    axisLabel: { ...axisText(palette), hideOverlap: true },
    splitLine: { show: false },
  };
}

/** A value axis whose grid stays behind the figures. */
export function valueAxis(palette: Palette) {
  return {
    type: 'value' as const,
    axisLabel: axisText(palette),
    axisLine: { show: false },
    splitLine: { lineStyle: { color: palette.line } },
    splitNumber: 3,
  };
}

/** Text from data that goes into a tooltip's markup. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0).toString()};`);
}

/** One line of a tooltip: colour, name, figure. */
export function tooltipRow(colour: string, name: string, figure: string): string {
  const dot = `<span style="display:inline-block;width:8px;height:8px;border-radius:2px;margin-right:6px;background:${colour}"></span>`;
  return `<div style="display:flex;justify-content:space-between;gap:18px"><span>${dot}${escapeMarkup(name)}</span><b>${figure}</b></div>`;
}
