import { Link } from 'react-router';
import type { ReactNode } from 'react';
import type { DecisionRecord } from '../../api/types';
import { significant } from '../../format/number';
import { Panel } from '../../parts/Panel';
import { Terms } from '../../parts/Terms';

/** What decided: policy, versions, experiments. */
export function VersionsPanel({ record }: { readonly record: DecisionRecord }) {
  const experiments = record.experiments ?? [];
  const entries: (readonly [string, ReactNode])[] = [
    ['Policy', record.policy],
    ['Definition', `version ${record.pointVersion.toString()}`],
    ['Model', record.modelVersion > 0 ? `version ${record.modelVersion.toString()}` : 'none was used'],
    ['Contact cost', significant(record.contactCost)],
    [
      'Experiments',
      experiments.length === 0
        ? 'none'
        : experiments.map((experiment) => (
            <div key={experiment.key}>
              <Link className="q-link" to={`/experiments/${encodeURIComponent(experiment.key)}`}>
                {experiment.key}
              </Link>{' '}
              <span className="q-muted">{experiment.variant}</span>
            </div>
          )),
    ],
  ];
  return (
    <Panel title="What decided">
      <Terms entries={entries} />
    </Panel>
  );
}
