import type { Cap, QuietHours } from '../../api/types';

/** Keys or tags as they are typed, with commas between. */
export const listOf = (text: string): string[] => [...new Set(text.split(',').map((part) => part.trim()).filter((part) => part !== ''))];

export function capWords(cap: Pick<Cap, 'limit' | 'hours' | 'calendar' | 'class' | 'channels' | 'tags' | 'arbitration'>): string {
  const what = cap.class === 'all' ? 'contacts' : cap.class === 'service' ? 'service messages' : 'advertising contacts';
  const window = cap.calendar ? `a ${cap.calendar} by the calendar` : `any ${hoursWords(cap.hours ?? 0)}`;
  const where = (cap.channels ?? []).length > 0 ? ` on ${(cap.channels ?? []).join(', ')}` : '';
  const about = (cap.tags ?? []).length > 0 ? ` tagged ${(cap.tags ?? []).join(' or ')}` : '';
  const place = cap.arbitration == null ? '' : '; who is worth more has the place';
  return `at most ${cap.limit.toString()} ${what}${where}${about} in ${window}${place}`;
}

export function hoursWords(hours: number): string {
  if (hours >= 48 && hours % 24 === 0) return `${(hours / 24).toString()} days`;
  return hours === 1 ? 'hour' : `${hours.toString()} hours`;
}

export function quietWords(quiet: Pick<QuietHours, 'from' | 'to' | 'days' | 'channels' | 'countries' | 'action'>): string {
  const days = (quiet.days ?? []).length > 0 ? `${(quiet.days ?? []).join(', ')}, ` : '';
  const time = quiet.from === quiet.to ? `all day from ${quiet.from}` : `${quiet.from} to ${quiet.to}`;
  const where = (quiet.countries ?? []).length > 0 ? ` in ${(quiet.countries ?? []).join(', ')}` : '';
  const on = (quiet.channels ?? []).length > 0 ? ` on ${(quiet.channels ?? []).join(', ')}` : '';
  return `${days}${time}${where}${on}: ${quiet.action === 'drop' ? 'the channel is not used' : 'contacts wait for the end'}`;
}
