import type { HoldoutUnit } from '../../api/types';

/** Keys of the experiments as which a holdout is reported. */
export function reportKeys(holdout: string): { readonly all: string; readonly comparison: string } {
  if (holdout === 'universal') return { all: 'universal-holdout', comparison: 'universal-comparison' };
  return { all: `holdout:${holdout}`, comparison: `comparison:${holdout}` };
}

const sides: Readonly<Record<HoldoutUnit['side'], string>> = {
  held: 'is held out',
  comparison: 'is in the comparison arm: gets what has shipped and is in no experiment',
  outside: 'is on neither side and lives as usual',
};

/** Where a unit stands, in words. */
export function sideWords(side: HoldoutUnit['side']): string {
  return sides[side];
}
