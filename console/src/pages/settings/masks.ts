import type { MaskRule } from '../../api/types';

const modeWords: Readonly<Record<MaskRule['mode'], string>> = { partial: 'in part', hash: 'as a hash', hide: 'hidden' };

/** What a role's holders see of personal data, in words. */
export function maskWords(masks: readonly MaskRule[]): string {
  if (masks.length === 0) return 'shown in full';
  const shown = masks.slice(0, 3).map(({ field, mode }) => `${field === 'personal' ? 'all' : field} ${modeWords[mode]}`);
  const more = masks.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more.toString()} more` : shown.join(', ');
}
