import { createTheme, type CSSVariablesResolver } from '@mantine/core';
import { customProperties, dark, light } from '../charts/palette';

export const theme = createTheme({
  fontFamily: "'Inter Variable', system-ui, -apple-system, 'Segoe UI', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  headings: { fontWeight: '600', sizes: { h1: { fontSize: '1.375rem', lineHeight: '1.3' } } },
  primaryColor: 'iris',
  primaryShade: { light: 7, dark: 6 },
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  colors: {
    iris: [
      '#f3f3fd',
      '#e3e4fa',
      '#c5c6f3',
      '#a5a7ec',
      '#9496f2',
      '#7173df',
      '#5f62d6',
      '#4c4fc4',
      '#3f42a8',
      '#31348a',
    ],
    dark: [
      '#e8eaf0',
      '#c3c8d4',
      '#a3a9ba',
      '#747b8d',
      '#333846',
      '#2a2e3a',
      '#1f232c',
      '#171a21',
      '#12141a',
      '#0c0e12',
    ],
  },
  components: {
    Button: { defaultProps: { size: 'sm' } },
    Tooltip: { defaultProps: { openDelay: 250, withArrow: true } },
    Modal: {
      defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.4, blur: 2 } },
      styles: {
        content: { background: 'var(--q-surface)' },
        header: { background: 'var(--q-surface)' },
        title: { fontWeight: 600 },
      },
    },
    Table: { defaultProps: { verticalSpacing: 6, horizontalSpacing: 12 } },
  },
});

/** Gives both schemes' colours to the style sheets. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    ...customProperties(light),
    '--mantine-color-body': light.canvas,
    '--mantine-color-text': light.text,
    '--mantine-color-dimmed': light.muted,
    '--mantine-color-default-border': light.line,
  },
  dark: {
    ...customProperties(dark),
    '--mantine-color-body': dark.canvas,
    '--mantine-color-text': dark.text,
    '--mantine-color-dimmed': dark.muted,
    '--mantine-color-default-border': dark.line,
  },
});
