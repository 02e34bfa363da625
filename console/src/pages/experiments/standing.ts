// Holdouts and the groups of a decision point always run: they have reports and
// variants in decisions, but no definition among the experiments.
const standingKeys = /^(universal-holdout|universal-comparison|holdout:.+|comparison:.+|groups:.+)$/;

export function isStanding(key: string): boolean {
  return standingKeys.test(key);
}

/** Where the report of what always runs belongs, and what it compares. */
export function standingWords(key: string): { readonly parent: { readonly to: string; readonly label: string }; readonly note: string } {
  if (key.startsWith('groups:')) {
    const point = key.slice('groups:'.length);
    return {
      parent: { to: `/decision-points/${encodeURIComponent(point)}`, label: point },
      note: 'The groups of a decision point that learns: the bandit and a random policy against business as usual.',
    };
  }
  const parent = { to: '/holdouts', label: 'Holdouts' };
  return key.includes('comparison')
    ? { parent, note: 'Who is held out against an arm of the same size who got what has shipped.' }
    : { parent, note: 'Everybody else against who is held out, for a fixed random share of people.' };
}
