import { describe, expect, it } from 'vitest';
import type { Place } from '../../api/types';
import { homeless, stageColumns } from './columns';

function place(key: string, people: number, stages?: Place['stages']): Place {
  return { key, name: key, people, share: 0, orders: 0, spend: 0, spendShare: 0, ...(stages === undefined ? {} : { stages }) };
}

const board = {
  stages: [place('reactivate', 5), place('grow', 4), place('acquire', 3)],
  segments: [
    place('lost', 5, [{ stage: 'reactivate', people: 5 }]),
    place('odd', 6, [
      { stage: 'grow', people: 4 },
      { stage: 'acquire', people: 2 },
    ]),
    place('loyal', 0),
    place('of-their-own', 0),
    place('anonymous-visitor', 1, [{ stage: 'acquire', people: 1 }]),
  ],
};

describe('stageColumns', () => {
  it('begins with the beginning of a customer’s life', () => {
    expect(stageColumns(board).map((column) => column.stage.key)).toEqual(['acquire', 'grow', 'reactivate']);
  });

  it('puts segments where their people are, and empty ones where the defaults have them', () => {
    const inside = stageColumns(board).map((column) => column.segments.map(({ segment, people, whole }) => [segment.key, people, whole]));
    expect(inside).toEqual([
      [['anonymous-visitor', 1, true], ['odd', 2, false]],
      [['loyal', 0, true], ['odd', 4, false]],
      [['lost', 5, true]],
    ]);
  });

  it('loses nobody', () => {
    const people = stageColumns(board).flatMap((column) => column.segments.map((each) => each.people));
    expect(people.reduce((a, b) => a + b, 0)).toBe(board.stages.reduce((sum, stage) => sum + stage.people, 0));
  });
});

describe('homeless', () => {
  it('lists empty segments that belong to no stage', () => {
    expect(homeless(board).map((segment) => segment.key)).toEqual(['of-their-own']);
  });

  it('lists default segments whose stage is gone', () => {
    expect(homeless({ stages: [place('other', 1)], segments: [place('loyal', 0)] }).map((segment) => segment.key)).toEqual(['loyal']);
  });
});
