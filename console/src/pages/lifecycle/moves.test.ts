import { describe, expect, it } from 'vitest';
import { biggestMoves, matrixOf, monthBefore, monthWords } from './moves';

const moves = [
  { from: '', to: 'visitor', people: 120 },
  { from: '', to: 'first', people: 8 },
  { from: 'visitor', to: 'visitor', people: 400 },
  { from: 'visitor', to: 'first', people: 30 },
  { from: 'first', to: 'loyal', people: 30 },
  { from: 'first', to: 'first', people: 50 },
  { from: 'gone', to: 'loyal', people: 2 },
];
const places = [
  { key: 'visitor', name: 'Visitors' },
  { key: 'first', name: 'First order' },
  { key: 'loyal', name: 'Loyal' },
  { key: 'empty', name: 'Nobody is here' },
];

describe('matrixOf', () => {
  const matrix = matrixOf(moves, places, 'New');

  it('has the places in their order, unknown and outer ends last, empty ones not at all', () => {
    expect(matrix.rows.map((end) => end.name)).toEqual(['Visitors', 'First order', 'gone', 'New']);
    expect(matrix.columns.map((end) => end.name)).toEqual(['Visitors', 'First order', 'Loyal']);
  });

  it('adds up', () => {
    expect(matrix.total).toBe(640);
    expect([matrix.stayed, matrix.moved, matrix.arrived]).toEqual([450, 62, 128]);
    expect([...matrix.rowTotals.values()].reduce((a, b) => a + b)).toBe(640);
    expect([...matrix.columnTotals.values()].reduce((a, b) => a + b)).toBe(640);
    expect(matrix.columnTotals.get('loyal')).toBe(32);
  });

  it('has a cell for each pair', () => {
    expect(matrix.people('visitor', 'first')).toBe(30);
    expect(matrix.people('first', 'visitor')).toBe(0);
    expect(matrix.most).toBe(120);
  });
});

describe('biggestMoves', () => {
  it('leaves out those who stayed and those who came', () => {
    expect(biggestMoves(moves, 2)).toEqual([
      { from: 'first', to: 'loyal', people: 30 },
      { from: 'visitor', to: 'first', people: 30 },
    ]);
  });
});

describe('months', () => {
  it.each([
    ['2026-01', 1, '2025-12'],
    ['2026-11', 0, '2026-11'],
    ['2026-11', 23, '2024-12'],
  ])('%s less %i is %s', (month, back, before) => {
    expect(monthBefore(month, back)).toBe(before);
  });

  it('has names', () => {
    expect(monthWords('2026-11')).toBe('November 2026');
  });
});
