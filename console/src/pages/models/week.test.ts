import { describe, expect, it } from 'vitest';
import { bestHour, weekOf } from './week';

describe('weekOf', () => {
  it('puts 168 rates into days, Monday first', () => {
    const rates = Array.from({ length: 168 }, (_, slot) => slot / 1000);
    const week = weekOf(rates);
    expect(week.map(({ day, slots }) => [day, slots.length])).toEqual(['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'].map((day) => [day, 24]));
    expect(week[0]?.slots[0]).toEqual({ hour: 0, rate: 0, heat: 0 });
    expect(week[6]?.slots[23]).toEqual({ hour: 23, rate: 0.167, heat: 1 });
    expect(bestHour(rates)).toBe('Sunday at 23:00');
  });

  it('has no heat where all hours are alike', () => {
    expect(weekOf(Array.from({ length: 168 }, () => 0.2))[3]?.slots[5]?.heat).toBe(0);
    expect(bestHour([])).toBe('');
  });
});
