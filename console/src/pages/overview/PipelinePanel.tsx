import type { Overview } from '../../api/types';
import { lateSeconds, worstLag } from '../../api/lag';
import { count } from '../../format/number';
import { duration } from '../../format/time';
import { Panel } from '../../parts/Panel';
import './pipeline.css';

const consumers: Readonly<Record<string, string>> = {
  events: 'Events into ClickHouse',
  decisions: 'Decisions into ClickHouse',
  profiles: 'Profiles into Postgres',
};

const engines: Readonly<Record<string, string>> = { postgres: 'Postgres', clickhouse: 'ClickHouse', stream: 'Stream' };

/** The entries in the order that the names are written down in, unknown ones last. */
function ordered<T>(entries: Readonly<Record<string, T>>, names: Readonly<Record<string, string>>): [string, T][] {
  const known = Object.keys(names);
  const place = (key: string) => (known.includes(key) ? known.indexOf(key) : known.length);
  return Object.entries(entries).sort(([a], [b]) => place(a) - place(b) || a.localeCompare(b));
}

/** From the stream to the engines: how far behind each consumer is. */
export function PipelinePanel({ overview }: { readonly overview: Overview }) {
  const late = worstLag(overview.lag) > lateSeconds;
  return (
    <Panel title="Pipeline" note={late ? 'Behind: figures will catch up, nothing is lost.' : 'What is acknowledged arrives in the log.'}>
      <ul className="q-pipeline">
        {ordered(overview.lag, consumers).map(([key, lag]) => {
          const state = lag.seconds > lateSeconds ? 'late' : 'fine';
          return (
            <li key={key} className={`q-pipeline-row q-health-${state}`}>
              <span className="q-health-dot" aria-hidden="true" />
              <span className="q-pipeline-name">{consumers[key] ?? key}</span>
              <span className="q-pipeline-lag">
                {duration(lag.seconds)} behind
                <span className="q-faint"> · {count(lag.messages)} waiting</span>
              </span>
            </li>
          );
        })}
      </ul>
      <ul className="q-engines">
        {ordered(overview.engines, engines).map(([key, kind]) => (
          <li key={key}>
            {engines[key] ?? key}
            <span className="q-engines-kind">{kind}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
