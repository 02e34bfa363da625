import { Button, Group, Progress, Table, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { IconDownload } from '@tabler/icons-react';
import { fetchRejects } from '../../api/imports';
import { useWhyNot } from '../../api/may';
import { asProblem } from '../../api/problem';
import type { ImportJob } from '../../api/types';
import { count, percent } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Moment } from '../../parts/Moment';
import { Tag, type Tone } from '../../parts/Tag';
import { saveBlob } from '../../files/saveBlob';

const tones: Readonly<Record<ImportJob['status'], Tone>> = { running: 'accent', complete: 'better', failed: 'worse', cancelled: 'quiet' };

interface ImportRowProps {
  readonly job: ImportJob;
  readonly onCancel: (job: ImportJob) => void;
  readonly onResume: (job: ImportJob) => void;
}

/** One file, how far it is, and what can be done about it. */
export function ImportRow({ job, onCancel, onResume }: ImportRowProps) {
  return (
    <Table.Tr>
      <Table.Td>
        <span className="q-list-title q-import-name">{job.name}</span>
        <span className="q-list-note">{job.kind}</span>
        {job.error !== undefined && job.error !== '' && <span className="q-import-error">{job.error}</span>}
      </Table.Td>
      <Table.Td>
        <Tag tone={tones[job.status]}>{job.status}</Tag>
      </Table.Td>
      <Table.Td>
        <Done job={job} />
      </Table.Td>
      <Table.Td className="q-number">{count(job.accepted)}</Table.Td>
      <Table.Td className="q-number">{job.rejected > 0 ? <Rejects job={job} /> : <span className="q-faint">0</span>}</Table.Td>
      <Table.Td>
        <Moment at={job.createdAt} />
      </Table.Td>
      <Table.Td ta="right">
        <Group gap={6} justify="flex-end" wrap="nowrap">
          {job.status === 'running' && (
            <ActionButton
              needs="ingest"
              size="compact-xs"
              variant="default"
              onClick={() => {
                onCancel(job);
              }}
            >
              Stop<span className="q-hidden-label"> {job.name}</span>
            </ActionButton>
          )}
          {(job.status === 'cancelled' || job.status === 'failed') && job.kind !== 'hillstrom' && (
            <ActionButton
              needs="ingest"
              size="compact-xs"
              variant="default"
              onClick={() => {
                onResume(job);
              }}
            >
              Resume<span className="q-hidden-label"> {job.name}</span>
            </ActionButton>
          )}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

/** How far an import is; its whole length is known only once its rows are counted. */
function Done({ job }: { readonly job: ImportJob }) {
  if (job.rowsTotal === 0) {
    if (job.status === 'running') return <span className="q-muted">{job.rowsDone > 0 ? `${count(job.rowsDone)} so far` : 'counting rows…'}</span>;
    return <>{count(job.rowsDone)}</>;
  }
  const share = Math.min(1, job.rowsDone / job.rowsTotal);
  if (job.status === 'complete') return <>{count(job.rowsDone)}</>;
  return (
    <div className="q-import-progress">
      <Progress.Root size="sm">
        <Progress.Section value={share * 100} color={job.status === 'running' ? 'iris' : 'gray'} aria-label={`${job.name}: ${percent(share, 0)} done`} />
      </Progress.Root>
      <span>
        {count(job.rowsDone)} of {count(job.rowsTotal)}
      </span>
    </div>
  );
}

function Rejects({ job }: { readonly job: ImportJob }) {
  const why = useWhyNot('ingest');
  const download = useMutation({
    mutationFn: () => fetchRejects(job.id),
    onSuccess: (blob) => {
      saveBlob(blob, `${job.name}.rejects.csv`);
    },
  });
  if (why !== '') return <span title={why}>{count(job.rejected)}</span>;
  return (
    <>
      <Button
        size="compact-xs"
        variant="default"
        loading={download.isPending}
        rightSection={<IconDownload size={12} />}
        aria-label={`Download the ${count(job.rejected)} rejected rows of ${job.name}`}
        onClick={() => {
          download.mutate();
        }}
      >
        {count(job.rejected)}
      </Button>
      {download.isError && (
        <Text size="xs" role="alert" className="q-import-error">
          {asProblem(download.error).message}
        </Text>
      )}
    </>
  );
}
