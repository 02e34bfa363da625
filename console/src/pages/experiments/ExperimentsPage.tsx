import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconChartBar, IconPlus } from '@tabler/icons-react';
import { Link } from 'react-router';
import { briefReportQuery, experimentsQuery } from '../../api/experiments';
import type { ExperimentRow } from '../../api/types';
import { count, noFigure } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { Status } from '../../parts/Status';
import { Tag } from '../../parts/Tag';
import { Split } from './Split';
import { healthWords } from './words';

// Each health is a report of its own: enough for a first screen.
const reportedRows = 20;
const columns: readonly Column[] = [
  { label: 'Experiment' },
  { label: 'Status' },
  { label: 'Health' },
  { label: 'On' },
  { label: 'Split' },
  { label: 'Decides by' },
  { label: 'Started' },
  { label: 'People', number: true },
];

/** Every experiment with where it is in its life and how it does. */
export function ExperimentsPage() {
  return (
    <>
      <PageHeader
        title="Experiments"
        note="Variants of a decision, each for a fixed random share of people."
        actions={
          <ActionButton needs="define" to="/experiments/new" leftSection={<IconPlus size={14} />}>
            New experiment
          </ActionButton>
        }
      />
      <Panel flush>
        <List
          page={experimentsQuery}
          columns={columns}
          minWidth={880}
          rows={6}
          empty={{ icon: <IconChartBar size={20} />, title: 'No experiments yet', text: 'Begin with what you expect to happen; the rest of the questions follow.' }}
        >
          {(experiments) => experiments.map((experiment, index) => <Row key={experiment.key} experiment={experiment} reported={index < reportedRows} />)}
        </List>
      </Panel>
    </>
  );
}

function Row({ experiment, reported }: { readonly experiment: ExperimentRow; readonly reported: boolean }) {
  const begun = experiment.startedAt !== undefined && experiment.status !== 'archived';
  const report = useQuery({ ...briefReportQuery(experiment.key), enabled: reported && begun });
  const health = report.data === undefined ? undefined : healthWords(report.data);
  return (
    <Table.Tr>
      <Table.Td>
        <Link className="q-quiet" to={`/experiments/${encodeURIComponent(experiment.key)}`}>
          <span className="q-list-title">{experiment.name ?? experiment.key}</span>
          <span className="q-list-note q-mono">{experiment.key}</span>
        </Link>
      </Table.Td>
      <Table.Td className="q-list-plain">
        <Status status={experiment.status} />
        {experiment.scheduledBy !== undefined && experiment.scheduledBy !== '' && (
          <span className="q-list-note">
            starts <Moment at={experiment.startAt} />
          </span>
        )}
      </Table.Td>
      <Table.Td className="q-list-plain">
        {health !== undefined ? (
          <Tag tone={health.tone} title={health.why}>
            {health.word}
          </Tag>
        ) : (
          <span className="q-faint">{report.isError ? 'no report' : begun && reported ? '…' : noFigure}</span>
        )}
      </Table.Td>
      <Table.Td className="q-list-plain">{experiment.decisionPoint === undefined || experiment.decisionPoint === '' ? <span className="q-muted">exposure events</span> : experiment.decisionPoint}</Table.Td>
      <Table.Td>
        <Split variants={experiment.variants} />
      </Table.Td>
      <Table.Td className="q-muted">{(experiment.metrics ?? []).join(', ')}</Table.Td>
      <Table.Td>
        <Moment at={experiment.startedAt} />
      </Table.Td>
      <Table.Td className="q-number">{count(report.data?.arms.reduce((sum, arm) => sum + arm.units, 0))}</Table.Td>
    </Table.Tr>
  );
}
