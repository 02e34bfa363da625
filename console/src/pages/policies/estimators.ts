const names: Readonly<Record<string, string>> = {
  ips: 'Inverse propensities',
  snips: 'Inverse propensities, normalised',
  dm: 'By the model alone',
  dr: 'Doubly robust',
  sndr: 'Doubly robust, normalised',
  'switch-dr': 'Doubly robust, large weights by the model',
  'dr-os': 'Doubly robust, weights shrunk',
};

/** An estimator in words; one that is not known keeps its name. */
export function estimatorName(key: string): string {
  return names[key] ?? key;
}
