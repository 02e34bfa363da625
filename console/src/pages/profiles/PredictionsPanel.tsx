import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { explanationQuery, standingsQuery, type Standing } from '../../api/models';
import { percent } from '../../format/number';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { Panel } from '../../parts/Panel';
import { featureWords, reasonMark } from '../models/words';
import '../models/models.css';
import './person-panels.css';

/** What models say of the person, and why; nothing where no model has reasons. */
export function PredictionsPanel({ id }: { readonly id: string }) {
  const standings = useQuery(standingsQuery());
  const explained = (standings.data?.items ?? []).filter(({ family, champion }) => champion !== undefined && (family === 'churn' || family === 'next-purchase'));
  if (explained.length === 0) return null;
  return (
    <Panel title="Predictions" note="As of now, with what moved each score the most, in log-odds. What other models say is among the computed attributes.">
      {explained.slice(0, 4).map((standing) => (
        <Prediction key={standing.key} standing={standing} person={id} />
      ))}
    </Panel>
  );
}

function Prediction({ standing, person }: { readonly standing: Standing; readonly person: string }) {
  const query = useQuery(explanationQuery(standing.key, person));
  const name = standing.name === undefined || standing.name === '' ? standing.key : standing.name;
  return (
    <section aria-label={name}>
      <h3 className="q-person-heading">
        <Link className="q-quiet" to={`/models/${encodeURIComponent(standing.key)}`}>
          {name}
        </Link>
        {query.data?.known === true && (
          <>
            : {percent(query.data.score)} <span className="q-muted">({percent(query.data.low)} to {percent(query.data.high)})</span>
          </>
        )}
      </h3>
      {query.isError && <ProblemPanel error={query.error} />}
      {query.data?.known === false && <p className="q-person-note">Not scored: nothing is known of what the person did.</p>}
      {query.isPending && <p className="q-person-note">…</p>}
      {query.data?.known === true && (
        <ul className="q-reasons">
          {query.data.reasons.slice(0, 5).map(({ column, value, effect }) => (
            <li key={column}>
              <span>
                {featureWords(column)} <span className="q-muted">{value === '' ? 'unknown' : value}</span>
              </span>
              <b className="q-number">{reasonMark(effect)}</b>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
