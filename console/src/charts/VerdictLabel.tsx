import { IconArrowDownRight, IconArrowUpRight, IconMinus } from '@tabler/icons-react';
import type { Verdict } from './scale';
import './verdict.css';

const words: Readonly<Record<Verdict, string>> = {
  better: 'Better',
  worse: 'Worse',
  unclear: 'No difference shown',
};

interface VerdictLabelProps {
  readonly verdict: Verdict;
  /** Whether the estimate is above zero; the arrow follows the figure, not the judgement. */
  readonly up: boolean;
}

/** What an interval says, in a word, so that colour is never alone. */
export function VerdictLabel({ verdict, up }: VerdictLabelProps) {
  const Icon = verdict === 'unclear' ? IconMinus : up ? IconArrowUpRight : IconArrowDownRight;
  return (
    <span className={`q-verdict q-verdict-${verdict}`}>
      <Icon size={14} aria-hidden="true" />
      {words[verdict]}
    </span>
  );
}
