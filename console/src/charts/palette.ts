// Colours carry meaning here and only here: charts and style sheets both take
// them from this file. Better and worse differ in lightness and hue for every
// common form of colour blindness, and a word always stands beside them.

/** The colours of one scheme, light or dark. */
export interface Palette {
  readonly text: string;
  readonly muted: string;
  readonly faint: string;
  readonly line: string;
  readonly canvas: string;
  readonly surface: string;
  readonly raised: string;
  readonly accent: string;
  readonly accentSoft: string;
  readonly better: string;
  readonly betterSoft: string;
  readonly worse: string;
  readonly worseSoft: string;
  readonly unclear: string;
  readonly unclearSoft: string;
  readonly treated: string;
  readonly control: string;
  readonly holdout: string;
  readonly none: string;
  readonly other: string;
  readonly series: readonly string[];
}

export const light: Palette = {
  text: '#1b1d26',
  muted: '#5d6273',
  faint: '#747a8b',
  line: '#e4e6ed',
  canvas: '#f7f8fa',
  surface: '#ffffff',
  raised: '#f3f4f8',
  accent: '#4c4fc4',
  accentSoft: '#ecedfb',
  better: '#0c7a6f',
  betterSoft: '#d5efeb',
  worse: '#b9480e',
  worseSoft: '#fbe3d3',
  unclear: '#6b7080',
  unclearSoft: '#e6e8ee',
  treated: '#5a5dd0',
  control: '#a3a8b8',
  holdout: '#e0a030',
  none: '#c3c7d3',
  other: '#a3a8b8',
  series: ['#5a5dd0', '#e0a030', '#2a9d8f', '#cc6677', '#67b3dd', '#8c8c2e', '#a65b9c', '#9a6a3f'],
};

export const dark: Palette = {
  text: '#e8eaf0',
  muted: '#a3a9ba',
  faint: '#858c9e',
  line: '#2a2e3a',
  canvas: '#101217',
  surface: '#171a21',
  raised: '#1f232c',
  accent: '#9496f2',
  accentSoft: '#262a52',
  better: '#4fc9b8',
  betterSoft: '#15403b',
  worse: '#f59762',
  worseSoft: '#4d2a17',
  unclear: '#9aa0b2',
  unclearSoft: '#2f3440',
  treated: '#8386ee',
  control: '#6f7687',
  holdout: '#e3ac4c',
  none: '#4a5060',
  other: '#6f7687',
  series: ['#8386ee', '#e3ac4c', '#43b5a6', '#dd8290', '#7cc0e6', '#b0b04e', '#c07fb7', '#bd8d61'],
};

/** Series beyond this number are drawn together as "other". */
export const maxSeries = light.series.length;

/** The palette as CSS custom properties: surface is --q-surface. */
export function customProperties(palette: Palette): Record<string, string> {
  const properties: Record<string, string> = {};
  for (const [name, value] of Object.entries(palette)) {
    if (typeof value === 'string') {
      properties[`--q-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`] = value;
    }
  }
  return properties;
}
