import type { Overview } from '../../api/types';
import { count, percent } from '../../format/number';
import { Figure, Figures } from '../../parts/Figure';
import { lastWholeMinute } from './minutes';

export function TotalsRow({ overview }: { readonly overview: Overview }) {
  const { profiles, decisions, events } = overview.totals;
  const lastMinute = lastWholeMinute(overview.decisionsPerMinute ?? [], Date.now());
  return (
    <Figures>
      <Figure label="Decisions, last full minute" value={count(lastMinute)} unit="per min" />
      <Figure label="Decisions in the log" value={count(decisions)} />
      <Figure label="Events in the log" value={count(events)} />
      <Figure label="People known" value={count(profiles)} />
      <Figure label="Universal holdout" value={percent(overview.holdout.share)} unit="of people" />
    </Figures>
  );
}
