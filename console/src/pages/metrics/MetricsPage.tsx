import { Group, Table } from '@mantine/core';
import { IconPlus, IconRulerMeasure } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { deleteMetric, metricsQuery } from '../../api/metrics';
import type { Metric } from '../../api/types';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { kindLabel, metricWords } from './words';

const columns: readonly Column[] = [{ label: 'Metric' }, { label: 'Kind' }, { label: 'What it says' }, { label: 'Better' }, { label: 'Changed' }, { label: 'Actions', silent: true }];

/** Every metric in words. */
export function MetricsPage() {
  const [deleting, setDeleting] = useState<Metric | null>(null);
  return (
    <>
      <PageHeader
        title="Metrics"
        note="Each is defined once; reports, plans, notebooks and the command line compute it by the same SQL."
        actions={
          <ActionButton needs="define" to="/measures/new" leftSection={<IconPlus size={14} />}>
            New metric
          </ActionButton>
        }
      />
      <Panel flush>
        <List
          page={metricsQuery}
          columns={columns}
          minWidth={820}
          empty={{ icon: <IconRulerMeasure size={20} />, title: 'No metrics yet', text: 'Begin with the share of people who order, and the money they leave.' }}
        >
          {(metrics) =>
            metrics.map((metric) => (
              <Table.Tr key={metric.key}>
                <Table.Td>
                  <Link className="q-quiet" to={`/measures/${encodeURIComponent(metric.key)}`}>
                    <span className="q-list-title">{metric.name ?? metric.key}</span>
                    <span className="q-list-note q-mono">{metric.key}</span>
                  </Link>
                </Table.Td>
                <Table.Td className="q-list-plain">
                  <Tag>{kindLabel(metric.kind).toLowerCase()}</Tag>
                </Table.Td>
                <Table.Td style={{ maxWidth: 420 }}>
                  {metricWords(metric)}
                  {metric.owner !== undefined && metric.owner !== '' && <span className="q-list-note">answered for by {metric.owner}</span>}
                </Table.Td>
                <Table.Td className="q-list-plain">{metric.direction === 'decrease' ? 'less' : 'more'}</Table.Td>
                <Table.Td className="q-list-plain">
                  <Moment at={metric.updatedAt} />
                  <span className="q-list-note">version {metric.version}</span>
                </Table.Td>
                <Table.Td ta="right">
                  <Group gap={6} justify="flex-end" wrap="nowrap">
                    <ActionButton
                      needs="define"
                      size="compact-xs"
                      variant="default"
                      onClick={() => {
                        setDeleting(metric);
                      }}
                    >
                      Delete<span className="q-hidden-label"> {metric.key}</span>
                    </ActionButton>
                  </Group>
                </Table.Td>
              </Table.Tr>
            ))
          }
        </List>
      </Panel>
      {deleting !== null && (
        <Confirm
          title={`Delete ${deleting.name ?? deleting.key}?`}
          verb="Delete"
          run={() => deleteMetric(deleting.key, deleting.version)}
          refresh={[['metrics']]}
          onClose={() => {
            setDeleting(null);
          }}
        >
          One that an experiment names cannot be deleted.
        </Confirm>
      )}
    </>
  );
}
