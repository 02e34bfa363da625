import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconChartBar } from '@tabler/icons-react';
import { Link } from 'react-router';
import { experimentsQuery, reportQuery } from '../../api/experiments';
import type { Experiment } from '../../api/types';
import { count, noFigure } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { SkeletonRows } from '../../parts/Skeletons';
import { Status } from '../../parts/Status';
import '../../parts/list-table.css';
import { Split } from './Split';

// Units are counted from the log by a report each: enough for a first screen.
const countedRows = 20;

export function ExperimentsPage() {
  const query = useQuery(experimentsQuery);
  return (
    <>
      <PageHeader title="Experiments" note="Variants of a decision point, each for a fixed random share of people." />
      <Panel flush>
        <Loaded query={query} skeleton={<SkeletonRows />}>
          {(data) => {
            const experiments = data.items ?? [];
            return experiments.length === 0 ? (
              <EmptyState icon={<IconChartBar size={20} />} title="No experiments yet">
                Create one with <code>PUT /v1/experiments/&#123;key&#125;</code>; it assigns people once it is started.
              </EmptyState>
            ) : (
              <ExperimentTable experiments={experiments} />
            );
          }}
        </Loaded>
      </Panel>
    </>
  );
}

function ExperimentTable({ experiments }: { readonly experiments: readonly Experiment[] }) {
  return (
    <Table className="q-list" highlightOnHover verticalSpacing={9}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Experiment</Table.Th>
          <Table.Th>Status</Table.Th>
          <Table.Th>Decision point</Table.Th>
          <Table.Th>Split</Table.Th>
          <Table.Th>Control</Table.Th>
          <Table.Th>Metrics</Table.Th>
          <Table.Th>Started</Table.Th>
          <Table.Th className="q-number">People</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {experiments.map((experiment, index) => (
          <Table.Tr key={experiment.key}>
            <Table.Td>
              <Link className="q-quiet" to={`/experiments/${encodeURIComponent(experiment.key)}`}>
                <span className="q-list-title">{experiment.name ?? experiment.key}</span>
                <span className="q-list-note">{experiment.key}</span>
              </Link>
            </Table.Td>
            <Table.Td>
              <Status status={experiment.status} />
            </Table.Td>
            <Table.Td className="q-list-plain">{experiment.decisionPoint || noFigure}</Table.Td>
            <Table.Td>
              <Split variants={experiment.variants ?? []} />
            </Table.Td>
            <Table.Td>{experiment.variants?.find((variant) => variant.control)?.key ?? noFigure}</Table.Td>
            <Table.Td className="q-muted">{(experiment.metrics ?? []).join(', ')}</Table.Td>
            <Table.Td>
              <Moment at={experiment.startedAt} />
            </Table.Td>
            <Table.Td className="q-number">
              <People experiment={experiment} counted={index < countedRows} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function People({ experiment, counted }: { readonly experiment: Experiment; readonly counted: boolean }) {
  const report = useQuery({ ...reportQuery(experiment.key), enabled: counted && experiment.status !== 'draft' });
  if (report.data === undefined) return noFigure;
  return count((report.data.arms ?? []).reduce((sum, arm) => sum + arm.units, 0));
}
