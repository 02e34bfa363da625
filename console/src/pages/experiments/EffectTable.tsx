import { Fragment } from 'react';
import type { Effect, Estimate, MetricReport } from '../../api/types';
import { IntervalAxis, IntervalMark } from '../../charts/IntervalMark';
import { VerdictLabel } from '../../charts/VerdictLabel';
import { intervalScale, verdict, type Scale, type Verdict } from '../../charts/scale';
import { effectText, effectTick, meanText, type EffectMode } from '../../format/effect';
import { count, noFigure, pValue, percent } from '../../format/number';
import { windowOf } from '../../format/time';
import './effect-table.css';

interface EffectTableProps {
  readonly metrics: readonly MetricReport[];
  readonly control: string;
  readonly mode: EffectMode;
  /** False when a check failed: figures are shown, but nothing is read from them. */
  readonly trusted: boolean;
  /** Leaves out arms' means and p-values where there is little room. */
  readonly brief?: boolean;
  /** All metrics whose relative effects share the axis; those of the table unless given. */
  readonly together?: readonly MetricReport[];
  /** What the rows are, where they are not metrics: nothing is said of the metric in each of them then. */
  readonly heading?: string;
}

// What is drawn is what the experiment concludes from: the interval of the method
// that it was planned with. Without one it is that of a single look.
function part(effect: Effect, mode: EffectMode): Estimate | undefined {
  const { decisive } = effect;
  const decided = mode === 'relative' ? decisive?.relative : decisive?.absolute;
  return decided ?? (mode === 'relative' ? effect.relative : effect.absolute) ?? undefined;
}

function judgement(effect: Effect, estimate: Estimate, direction: string): Verdict {
  const said = effect.decisive?.verdict;
  if (said === 'better' || said === 'worse') return said;
  return said === undefined ? verdict(estimate, direction) : 'unclear';
}

function missing(effect: Effect, mode: EffectMode): string {
  return effect.problem ?? (mode === 'relative' ? effect.relativeProblem : undefined) ?? 'No figure yet.';
}

function intervals(metrics: readonly MetricReport[], mode: EffectMode): Estimate[] {
  return metrics.flatMap((metric) =>
    (metric.effects ?? []).map((effect) => part(effect, mode)).filter((estimate) => estimate !== undefined),
  );
}

/**
 * Effects with their 95% intervals drawn. Relative effects of all metrics share
 * one axis; absolute ones have a unit each and therefore an axis each.
 */
export function EffectTable({ metrics, control, mode, trusted, brief = false, together = metrics, heading }: EffectTableProps) {
  const shared = mode === 'relative' ? intervalScale(intervals(together, mode)) : undefined;
  const columns = brief ? 4 : 8;
  const variants = new Set(metrics.flatMap((metric) => (metric.effects ?? []).map((effect) => effect.variant)));
  const only = variants.size === 1 ? [...variants][0] : undefined;
  return (
    <table className="q-effects">
      <thead>
        <tr>
          <th scope="col">{heading ?? 'Metric'}</th>
          {!brief && (
            <>
              <th scope="col" className="q-number">
                {control}
              </th>
              <th scope="col" className="q-number">
                {only ?? 'Variant'}
              </th>
            </>
          )}
          <th scope="col" className="q-number">
            Effect
          </th>
          <th scope="col" className="q-effects-plot">
            95% interval
          </th>
          <th scope="col">Reading</th>
          {!brief && (
            <>
              <th scope="col" className="q-number" title="Probability that the variant is better than the control, with the experiment’s prior">
                Chance to win
              </th>
              <th scope="col" className="q-number" title="With all goal metrics and variants taken into account">
                p
              </th>
            </>
          )}
        </tr>
      </thead>
      <tbody>
        {metrics.map((metric, index) => {
          const scale = shared ?? intervalScale(intervals([metric], mode));
          const last = index === metrics.length - 1;
          return (
            <Fragment key={metric.key}>
              <MetricRows metric={metric} control={control} mode={mode} trusted={trusted} brief={brief} named={only === undefined} scale={scale} about={heading === undefined} />
              <NotesRow metric={metric} columns={columns} />
              {(shared === undefined ? intervals([metric], mode).length > 0 : last && intervals(metrics, mode).length > 0) && (
                <tr className="q-effects-axis">
                  <td colSpan={brief ? 2 : 4} />
                  <td>
                    <IntervalAxis scale={scale} format={effectTick(metric.kind, mode)} />
                  </td>
                  <td colSpan={brief ? 1 : 3} />
                </tr>
              )}
            </Fragment>
          );
        })}
      </tbody>
    </table>
  );
}

interface MetricRowsProps extends Omit<EffectTableProps, 'metrics' | 'brief' | 'together' | 'heading'> {
  /** Whether kind, window and direction of the metric are said. */
  readonly about: boolean;
  readonly metric: MetricReport;
  readonly brief: boolean;
  /** Whether each row has to say which variant it is about. */
  readonly named: boolean;
  readonly scale: Scale;
}

function MetricRows({ metric, control, mode, trusted, brief, named, scale, about }: MetricRowsProps) {
  const effects = metric.effects ?? [];
  const arms = new Map((metric.arms ?? []).map((arm) => [arm.variant, arm]));
  const baseline = arms.get(control);
  return effects.map((effect, index) => {
    const estimate = part(effect, mode);
    const arm = arms.get(effect.variant);
    const judged = estimate === undefined || !trusted ? 'unclear' : judgement(effect, estimate, metric.direction);
    const text = estimate === undefined ? undefined : effectText(estimate, metric.kind, mode);
    const name = metric.name || metric.key;
    return (
      <tr key={effect.variant} className={index === 0 ? 'q-effects-first' : ''}>
        <th scope="row" className="q-effects-metric">
          {index === 0 && (
            <>
              <span className="q-effects-name">{name}</span>
              {about && (
                <span className="q-effects-about">
                  {metric.kind} · {windowOf(metric.windowHours)} · {metric.direction === 'decrease' ? 'less' : 'more'} is better
                </span>
              )}
              {about && <Matured metric={metric} />}
            </>
          )}
          {named && <span className="q-effects-variant">{effect.variant}</span>}
        </th>
        {!brief && (
          <>
            <ArmCell arm={baseline} kind={metric.kind} />
            <ArmCell arm={arm} kind={metric.kind} />
          </>
        )}
        <td className="q-number">
          {text === undefined ? (
            <span className="q-muted">–</span>
          ) : (
            <>
              <span className="q-effects-estimate">{text.estimate}</span>
              <span className="q-effects-about">{text.interval}</span>
            </>
          )}
        </td>
        <td className="q-effects-plot">
          {estimate !== undefined && text !== undefined ? (
            <IntervalMark
              interval={estimate}
              scale={scale}
              verdict={judged}
              label={`${name}, ${effect.variant} against ${control}: ${text.estimate}, 95% interval ${text.interval} ${text.unit}`}
            />
          ) : (
            <span className="q-muted">{missing(effect, mode)}</span>
          )}
        </td>
        <td>
          {!trusted && <span className="q-muted">a check failed</span>}
          {trusted && estimate !== undefined && <VerdictLabel verdict={judged} up={estimate.estimate > 0} />}
        </td>
        {!brief && (
          <>
            <td className="q-number">{trusted ? chance(effect) : <span className="q-muted">–</span>}</td>
            <td className="q-number">{pValue(effect.decisive?.correctedPValue ?? effect.decisive?.pValue ?? effect.pValue)}</td>
          </>
        )}
      </tr>
    );
  });
}

// A chance is never certain: what rounds to all or nothing is shown as a bound.
function chance(effect: Effect): string {
  const share = effect.bayesian?.chanceToWin;
  if (share === undefined) return noFigure;
  if (share > 0.999) return '> 99.9%';
  if (share < 0.001) return '< 0.1%';
  return percent(share, 1);
}

// People whose window is still open count with what has happened so far.
function Matured({ metric }: { readonly metric: MetricReport }) {
  let units = 0;
  let matured = 0;
  for (const arm of metric.arms ?? []) {
    units += arm.units;
    matured += arm.matured;
  }
  if (units === 0 || matured >= units) return null;
  return <span className="q-effects-about">window over for {percent(matured / units, 0)} of people</span>;
}

function NotesRow({ metric, columns }: { readonly metric: MetricReport; readonly columns: number }) {
  const notes = [...(metric.problem ? [metric.problem] : []), ...(metric.notes ?? [])];
  const named = (metric.effects ?? []).length > 0;
  if (notes.length === 0 && named) return null;
  return (
    <tr className={named ? '' : 'q-effects-first'}>
      <td colSpan={columns} className="q-effects-notes">
        {!named && <span className="q-effects-name">{metric.name || metric.key}</span>}
        {notes.join(' ')}
      </td>
    </tr>
  );
}

interface ArmCellProps {
  readonly arm: NonNullable<MetricReport['arms']>[number] | undefined;
  readonly kind: string;
}

function ArmCell({ arm, kind }: ArmCellProps) {
  if (arm === undefined) return <td className="q-number q-faint">–</td>;
  return (
    <td className="q-number">
      {meanText(arm.mean, arm.standardError, kind)}
      <span className="q-effects-about">{count(arm.units)} people</span>
    </td>
  );
}
