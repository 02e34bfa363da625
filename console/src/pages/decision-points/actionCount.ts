import type { DecisionPoint } from '../../api/types';

/** How many actions a decision point has: offers x channels x creatives, and nothing where allowed. */
export function actionCount(point: DecisionPoint): number {
  const product = (point.offers ?? []).length * (point.channels ?? []).length * Math.max(1, (point.creatives ?? []).length);
  return product + (point.noneAction === false ? 0 : 1);
}

/** The objective as a formula in words. */
export function objectiveText(objective: DecisionPoint['objective']): string {
  const terms = (objective?.terms ?? []).map((term) => {
    const what = term.property ? `${term.property} of ${term.event}` : `each ${term.event}`;
    const weight = term.weight ?? 1;
    return weight === 1 ? what : `${weight.toString()} × ${what}`;
  });
  if (terms.length === 0) return 'no objective';
  return terms.join(' + ') + (objective?.subtractContactCost ? ' − contact cost' : '');
}
