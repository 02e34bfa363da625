import type { Board, Place } from '../../api/types';

/** The people of a segment that are in one stage. */
export interface SegmentInStage {
  readonly segment: Place;
  readonly people: number;
  /** Whether all of the segment's people are in this stage. */
  readonly whole: boolean;
}

/** A stage with the segments inside. */
export interface StageColumn {
  readonly stage: Place;
  readonly segments: readonly SegmentInStage[];
}

// Where the default table's segments belong, for those where nobody is.
const home: Readonly<Record<string, string>> = {
  lost: 'reactivate',
  'at-risk': 'reactivate',
  cooling: 'reactivate',
  champion: 'grow',
  seasonal: 'grow',
  loyal: 'grow',
  repeat: 'grow',
  'second-order-due': 'first-order',
  'first-order': 'first-order',
  'cart-abandoner': 'activate',
  'product-browser': 'activate',
  registered: 'activate',
  'returning-visitor': 'acquire',
  'anonymous-visitor': 'acquire',
};

/**
 * The board as columns in the order of a customer's life, which is that of the
 * rules turned round: the first rules are about those who came the farthest.
 * Segments are where their people are; one whose people are in several stages
 * stands in each, and one without people where the default table has it.
 */
export function stageColumns(board: Pick<Board, 'stages' | 'segments'>): readonly StageColumn[] {
  return board.stages.toReversed().map((stage) => ({
    stage,
    segments: board.segments.toReversed().flatMap((segment) => {
      const parts = segment.stages ?? [];
      if (parts.length === 0) return home[segment.key] === stage.key ? [{ segment, people: 0, whole: true }] : [];
      const part = parts.find((each) => each.stage === stage.key);
      return part === undefined ? [] : [{ segment, people: part.people, whole: parts.length === 1 }];
    }),
  }));
}

/** Segments without people that no stage of this table is known to hold. */
export function homeless(board: Pick<Board, 'stages' | 'segments'>): readonly Place[] {
  const stages = new Set(board.stages.map((stage) => stage.key));
  return board.segments.filter((segment) => (segment.stages ?? []).length === 0 && !stages.has(home[segment.key] ?? ''));
}
