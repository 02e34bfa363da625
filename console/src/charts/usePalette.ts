import { useComputedColorScheme } from '@mantine/core';
import { dark, light, type Palette } from './palette';

/** The palette of the scheme that the page is shown in. */
export function usePalette(): Palette {
  return useComputedColorScheme('light') === 'dark' ? dark : light;
}
