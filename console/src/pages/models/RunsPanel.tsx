import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconClockPlay } from '@tabler/icons-react';
import { modelJobsQuery, type ModelJob } from '../../api/models';
import { duration } from '../../format/time';
import { EmptyState } from '../../parts/EmptyState';
import { Rows } from '../../parts/List';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { SkeletonRows } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { jobWords } from './words';

const columns = [{ label: 'Run' }, { label: 'Began' }, { label: 'Took', number: true }, { label: 'How it ended' }] as const;

/** Trainings and scorings, the newest first. */
export function RunsPanel({ modelKey }: { readonly modelKey: string }) {
  const query = useQuery(modelJobsQuery(modelKey));
  return (
    <Panel title="Runs" note="A model that is not paused is trained again by itself, and scores everybody every six hours." flush>
      <Loaded query={query} skeleton={<SkeletonRows rows={3} />}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon={<IconClockPlay size={20} />} title="No run yet" />
          ) : (
            <Rows columns={columns} minWidth={520}>
              {items.map((job) => (
                <Table.Tr key={job.id}>
                  <Table.Td>
                    {job.kind === 'train' ? 'Training' : 'Scoring'} {job.version !== undefined && job.version > 0 && <span className="q-muted">of version {job.version}</span>}
                  </Table.Td>
                  <Table.Td>
                    <Moment at={job.startedAt} />
                  </Table.Td>
                  <Table.Td className="q-number">{took(job)}</Table.Td>
                  <Table.Td>
                    {job.error !== undefined && job.error !== '' && <Tag tone="worse">failed</Tag>} <span className="q-muted">{jobWords(job)}</span>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Rows>
          )
        }
      </Loaded>
    </Panel>
  );
}

function took({ startedAt, endedAt }: ModelJob): string {
  return endedAt === undefined ? 'under way' : duration(Math.max(0, (Date.parse(endedAt) - Date.parse(startedAt)) / 1000));
}
