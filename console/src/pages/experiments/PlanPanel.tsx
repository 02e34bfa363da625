import type { Report } from '../../api/types';
import { effectText } from '../../format/effect';
import { count, fixed, percent, significant } from '../../format/number';
import { Panel } from '../../parts/Panel';
import { Terms } from '../../parts/Terms';

/** How far the experiment is on its first goal, and what its effect would come to. */
export function PlanPanel({ report }: { readonly report: Report }) {
  const goal = (report.metrics ?? []).find(({ role }) => role === 'goal');
  const effects = (goal?.effects ?? []).filter(({ progress, projection, enough, bayesian, adjusted }) => [progress, projection, enough, bayesian, adjusted].some((each) => each !== undefined));
  if (goal === undefined || effects.length === 0) return null;
  return (
    <Panel title="Behind the recommendation" note={`On ${goal.name ?? goal.key}, the first goal.`}>
      {effects.map((effect) => (
        <div key={effect.variant}>
          {effects.length > 1 && <h3 className="q-panel-title">{effect.variant}</h3>}
          <Terms entries={entriesOf(effect, goal.kind, report.checksPassed)} />
        </div>
      ))}
    </Panel>
  );
}

type Effect = NonNullable<NonNullable<Report['metrics']>[number]['effects']>[number];

function entriesOf(effect: Effect, kind: string, trusted: boolean): [string, string][] {
  const out: [string, string][] = [];
  const { progress, enough, bayesian, adjusted, uncapped, projection } = effect;
  if (progress !== undefined) {
    const left = progress.daysLeft === undefined ? '' : progress.daysLeft === 0 ? '; the people are there' : `; ${count(progress.daysLeft)} more days at the present pace`;
    out.push(['Power so far', `${percent(progress.power, 0)} for an effect of ${percent(progress.minimumEffect, 1)}${left}`]);
  }
  if (enough !== undefined) out.push(['People enough', enough.enough ? `yes: ${count(enough.units)} in the smaller arm` : `no: ${count(enough.units)} in the smaller arm, ${count(enough.needed)} are needed for values as skewed as these`]);
  if (!trusted) return out;
  if (bayesian !== undefined) {
    out.push(['If shipped and wrong', lossWords(bayesian.riskOfShipping)]);
    out.push(['If kept and wrong', lossWords(bayesian.riskOfKeeping)]);
  }
  if (adjusted?.relative !== undefined) {
    const text = effectText(adjusted.relative, kind, 'relative');
    out.push([`Adjusted by ${adjusted.by}`, `${text.estimate} (${text.interval})${adjusted.varianceReduction === undefined ? '' : `, ${percent(adjusted.varianceReduction, 0)} of the variance gone`}`]);
  }
  if (uncapped?.relative !== undefined) {
    const text = effectText(uncapped.relative, kind, 'relative');
    out.push(['Without the cap', `${text.estimate} (${text.interval})`]);
  }
  if (projection !== undefined) {
    const year = projection.perYear;
    out.push(['In a year, for everybody', year === undefined ? projection.detail : `${significant(year.estimate)} (${significant(year.lower)} to ${significant(year.upper)}); ${projection.detail}`]);
  }
  return out;
}

// Nothing is ever without risk: what rounds to none is shown as a bound.
function lossWords(share: number): string {
  return share < 0.0001 ? 'a loss of less than 0.01% is to be expected' : `a loss of ${percent(share, share < 0.01 ? 2 : 1)} is to be expected`;
}

/** Costs of contacts per person, as one sentence each; nothing when none were counted. */
export function costWords(arms: Report['arms']): string {
  return (arms ?? [])
    .filter(({ costs }) => costs?.perPerson !== undefined)
    .map(({ variant, costs }) => `${variant} ${fixed(costs?.perPerson ?? 0, 3)}${costs?.extra === undefined ? '' : ` (${costs.extra >= 0 ? '+' : '−'}${fixed(Math.abs(costs.extra), 3)})`}`)
    .join(', ');
}
