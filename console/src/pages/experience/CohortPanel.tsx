import { Button } from '@mantine/core';
import { IconUsersGroup } from '@tabler/icons-react';
import { useState, type CSSProperties } from 'react';
import type { RetentionCohort } from '../../api/types';
import { count, percent } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Panel } from '../../parts/Panel';
import { periodWords } from './metrics';

interface CohortPanelProps {
  readonly cohorts: readonly RetentionCohort[];
  readonly period: string;
}

const shownOffsets = 12;
const shownCohorts = 24;

/** Customers by the period of their first order, and the share that ordered in each period behind it. */
export function CohortPanel({ cohorts, period }: CohortPanelProps) {
  const [all, setAll] = useState(false);
  const told = cohorts.filter((cohort) => cohort.size > 0 && cohort.returns.length > 0);
  const rows = all ? told : told.slice(-shownCohorts);
  const most = Math.max(0, ...rows.map((cohort) => cohort.returns.length));
  const offsets = Array.from({ length: all ? most : Math.min(most, shownOffsets) }, (_, index) => index + 1);
  if (told.length === 0) {
    return (
      <Panel title="Cohorts" note={`Customers by the ${period} of their first order, and the share of them that ordered again later.`}>
        <EmptyState icon={<IconUsersGroup size={20} />} title="Nobody's first order is a whole period back">
          Cohorts show from the second {period} of these periods on.
        </EmptyState>
      </Panel>
    );
  }
  const highest = Math.max(0, ...rows.flatMap((cohort) => cohort.returns.map((each) => each.rate)));
  const hidden = told.length > shownCohorts || told.some((cohort) => cohort.returns.length > shownOffsets);
  return (
    <Panel
      title="Cohorts"
      note={`Customers by the ${period} of their first order, and the share of them that ordered so many ${period}s later. Hovering shows the interval.`}
      flush
      actions={
        hidden && (
          <Button
            size="xs"
            variant="default"
            onClick={() => {
              setAll(!all);
            }}
          >
            {all ? 'Show fewer' : 'Show all'}
          </Button>
        )
      }
    >
      <table className="q-cohorts">
        <caption className="q-hidden-label">Share of each cohort that ordered again, by {period}s behind the first order</caption>
        <thead>
          <tr>
            <th scope="col">First order</th>
            <th scope="col" className="q-number">
              Customers
            </th>
            {offsets.map((offset) => (
              <th key={offset} scope="col" className="q-number">
                +{offset}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((cohort) => (
            <tr key={cohort.from}>
              <th scope="row">{periodWords(cohort.from, period)}</th>
              <td className="q-number">{count(cohort.size)}</td>
              {offsets.map((offset) => {
                const found = cohort.returns.find((each) => each.offset === offset);
                if (found === undefined) return <td key={offset} />;
                const share = highest > 0 ? found.rate / highest : 0;
                return (
                  <td
                    key={offset}
                    className="q-number q-cohort-cell"
                    style={{ '--heat': share.toFixed(3) } as CSSProperties}
                    title={`${count(found.people)} of ${count(cohort.size)}; 95% interval ${percent(found.lower, 1)} to ${percent(found.upper, 1)}`}
                  >
                    {percent(found.rate, 1)}
                    <span className="q-hidden-label">
                      {' '}
                      (interval {percent(found.lower, 1)} to {percent(found.upper, 1)})
                    </span>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
