import type { ReactNode } from 'react';
import './tag.css';

export type Tone = 'neutral' | 'quiet' | 'accent' | 'better' | 'worse' | 'warning';

interface TagProps {
  readonly tone?: Tone;
  readonly title?: string;
  readonly children: ReactNode;
}

/** A word about the thing beside it. */
export function Tag({ tone = 'neutral', title, children }: TagProps) {
  return (
    <span className={`q-tag q-tag-${tone}`} title={title}>
      {children}
    </span>
  );
}
