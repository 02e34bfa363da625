const days = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const;

/** One hour of the week. */
export interface Slot {
  readonly hour: number;
  readonly rate: number;
  /** From 0 for the worst hour of the week to 1 for the best. */
  readonly heat: number;
}

/** The rates of 168 hours, Monday first, as seven days of 24 hours. */
export function weekOf(rates: readonly number[]): readonly { readonly day: string; readonly slots: readonly Slot[] }[] {
  const low = Math.min(...rates);
  const span = Math.max(...rates) - low;
  return days.map((day, d) => ({
    day,
    slots: rates.slice(24 * d, 24 * (d + 1)).map((rate, hour) => ({ hour, rate, heat: span > 0 ? (rate - low) / span : 0 })),
  }));
}

/** The hour with the highest rate, in words. */
export function bestHour(rates: readonly number[]): string {
  if (rates.length === 0) return '';
  const at = rates.indexOf(Math.max(...rates));
  return `${days[Math.floor(at / 24)] ?? ''} at ${hourText(at % 24)}`;
}

export const hourText = (hour: number): string => `${hour.toString().padStart(2, '0')}:00`;
