import type { Check } from '../../api/types';

const titles: Readonly<Record<string, string>> = {
  'sample-ratio': 'Sample ratio',
  'multiple-exposure': 'People in several variants',
  'missing-values': 'Values of events',
  'enough-people': 'People enough',
  'pre-period': 'Same before the start',
  'sample-ratio-by-dimension': 'Sample ratio within groups',
};

const meanings: Readonly<Record<string, string>> = {
  'sample-ratio': 'The split of people is what the weights say. If not, the arms are not comparable.',
  'multiple-exposure': 'Each person saw one variant. Those who saw several are left out of the figures.',
};

export function checkTitle(check: Check): string {
  return titles[check.name] ?? (check.name.charAt(0).toUpperCase() + check.name.slice(1)).replaceAll('-', ' ');
}

export function checkMeaning(check: Check): string {
  return meanings[check.name] ?? '';
}
