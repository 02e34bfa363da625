import { NativeSelect } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { programmeQuery } from '../../api/holdouts';
import { metricChoicesQuery } from '../../api/metrics';
import { asProblem } from '../../api/problem';
import type { Programme } from '../../api/types';
import { IntervalAxis, IntervalMark } from '../../charts/IntervalMark';
import { intervalScale, verdict } from '../../charts/scale';
import { effectText, effectTick } from '../../format/effect';
import { compact, count, significant } from '../../format/number';
import { Figure, Figures } from '../../parts/Figure';
import { Loaded } from '../../parts/Loaded';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { FailedChecks } from '../experiments/FailedChecks';
import '../experiments/effect-table.css';

/** What all of it together brought, and what the experiments claim one by one. */
export function ProgrammePanel() {
  const metrics = useQuery(metricChoicesQuery);
  const [metric, setMetric] = useState('');
  const query = useQuery(programmeQuery(metric));
  const refused = query.isError && asProblem(query.error).status === 422;
  return (
    <Panel
      title="What the programme brings"
      note="The comparison arm against who is held out: everything that has shipped, together, after costs where the metric counts them. Single experiments claim too much on average; what is to be expected of them is beside."
      actions={
        <NativeSelect
          size="xs"
          aria-label="Metric of the programme"
          data={[{ value: '', label: 'The metric that says most' }, ...(metrics.data?.items ?? []).map(({ key, name }) => ({ value: key, label: name ?? key }))]}
          value={metric}
          onChange={(event) => {
            setMetric(event.currentTarget.value);
          }}
        />
      }
    >
      {refused ? (
        <p className="q-muted" role="status">
          {asProblem(query.error).findings[0]?.message ?? asProblem(query.error).message}
        </p>
      ) : (
        <Loaded query={query} skeleton={<SkeletonBlock height={160} />}>
          {(programme) => <Impact programme={programme} kind={metrics.data?.items.find(({ key }) => key === programme.metric)?.kind ?? 'mean'} />}
        </Loaded>
      )}
    </Panel>
  );
}

function Impact({ programme, kind }: { readonly programme: Programme; readonly kind: string }) {
  const { impact, expected } = programme;
  const claims = programme.experiments;
  const scale = intervalScale([...claims.map(({ absolute }) => absolute), ...(impact === undefined ? [] : [impact.perPerson])]);
  return (
    <div className="q-stack">
      <FailedChecks checks={programme.checks} />
      {programme.problem !== undefined && programme.problem !== '' && <p className="q-muted">{programme.problem}</p>}
      {impact !== undefined && programme.checksPassed && (
        <Figures>
          <Figure
            label="In all"
            value={compact(impact.totalEstimate)}
            note={`${impact.total.lower === undefined ? '' : compact(impact.total.lower)} to ${impact.total.upper === undefined ? '' : compact(impact.total.upper)}, for ${count(impact.treated)} people`}
          />
          <Figure label="Per person" value={effectText(impact.perPerson, kind, 'absolute').estimate} note={effectText(impact.perPerson, kind, 'absolute').interval} />
          <Figure label="Relative" value={impact.relative === undefined ? '–' : effectText(impact.relative, kind, 'relative').estimate} note={impact.relative === undefined ? undefined : effectText(impact.relative, kind, 'relative').interval} />
          <Figure label="What holding out costs" value={compact(impact.forgone)} note="left undone among those held out" />
        </Figures>
      )}
      {claims.length > 0 && programme.checksPassed && (
        <div style={{ overflowX: 'auto' }}>
          <table className="q-effects">
            <thead>
              <tr>
                <th scope="col">Experiment</th>
                <th scope="col">Variant</th>
                <th scope="col" className="q-number">
                  Claims per person
                </th>
                <th scope="col" className="q-effects-plot">
                  95% interval
                </th>
                <th scope="col" className="q-number" title="Pulled towards the mean of all, as the best look better than they are">
                  To be expected
                </th>
              </tr>
            </thead>
            <tbody>
              {claims.map((claim) => {
                const text = effectText(claim.absolute, kind, 'absolute');
                return (
                  <tr key={`${claim.experiment} ${claim.variant}`}>
                    <td>
                      <Link className="q-quiet" to={`/experiments/${encodeURIComponent(claim.experiment)}`}>
                        {claim.experiment}
                      </Link>
                    </td>
                    <td>{claim.variant}</td>
                    <td className="q-number">{text.estimate}</td>
                    <td className="q-effects-plot">
                      <IntervalMark interval={claim.absolute} scale={scale} verdict={verdict(claim.absolute, 'increase')} label={`${claim.experiment}, ${claim.variant}: ${text.estimate}, 95% interval ${text.interval}`} />
                    </td>
                    <td className="q-number">{claim.shrunk === undefined ? '–' : significant(claim.shrunk)}</td>
                  </tr>
                );
              })}
              <tr className="q-effects-axis">
                <td colSpan={3} />
                <td>
                  <IntervalAxis scale={scale} format={effectTick(kind, 'absolute')} />
                </td>
                <td />
              </tr>
            </tbody>
          </table>
          {expected !== undefined && (
            <p className="q-list-note">
              Together they claim {significant(expected.claimed)} per person; {significant(expected.expected)} is to be expected.
            </p>
          )}
        </div>
      )}
      {claims.length === 0 && impact === undefined && <p className="q-muted">Nothing has been measured yet.</p>}
    </div>
  );
}
