// Holdouts and the groups of a decision point always run: they have reports and
// variants in decisions, but no definition among the experiments.
const standingKeys = /^(universal-holdout|universal-comparison|holdout:.+|comparison:.+|groups:.+)$/;

export function isStanding(key: string): boolean {
  return standingKeys.test(key);
}
