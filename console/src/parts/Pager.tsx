import { Button } from '@mantine/core';
import { useState } from 'react';

interface PagerProps {
  /** Where the page that is shown begins; empty at the first. */
  readonly at: string;
  /** Where the next one begins; empty at the last. */
  readonly next: string;
  readonly onShow: (at: string) => void;
}

/** Leads forward through a list that is read by cursor, and back on the way that one came. */
export function Pager({ at, next, onShow }: PagerProps) {
  const [trail, setTrail] = useState<readonly string[]>([]);
  if (at === '' && next === '') return null;
  return (
    <div style={{ display: 'flex', justifyContent: 'flex-end', gap: 8, padding: '8px 16px' }}>
      <Button
        variant="default"
        size="xs"
        disabled={at === ''}
        onClick={() => {
          onShow(trail.at(-1) ?? '');
          setTrail(trail.slice(0, -1));
        }}
      >
        Back
      </Button>
      <Button
        variant="default"
        size="xs"
        disabled={next === ''}
        onClick={() => {
          setTrail([...trail, at]);
          onShow(next);
        }}
      >
        Next
      </Button>
    </div>
  );
}
