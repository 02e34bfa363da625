import { Button, Modal, Text, Group } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconFileUpload, IconUpload } from '@tabler/icons-react';
import { useState } from 'react';
import { cancelImport, importsQuery } from '../../api/imports';
import { mayDefine } from '../../api/may';
import { sessionQuery } from '../../api/session';
import type { ImportJob } from '../../api/types';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonRows } from '../../parts/Skeletons';
import { ImportTable } from './ImportTable';
import { UploadForm } from './UploadForm';
import './imports.css';

/** Files that were brought in or are on their way, and the form that sends one. */
export function ImportsPage() {
  const query = useQuery(importsQuery);
  const session = useQuery(sessionQuery);
  const [sending, setSending] = useState<ImportJob | 'new' | null>(null);
  const [cancelling, setCancelling] = useState<ImportJob | null>(null);
  const may = mayDefine(session.data);
  return (
    <>
      <PageHeader
        title="Imports"
        note="Files of people, of what they did, or of items. A row is stored once, however often it is sent; a bad one stops nothing."
        actions={
          may && (
            <Button
              leftSection={<IconUpload size={15} />}
              onClick={() => {
                setSending('new');
              }}
            >
              Import a file
            </Button>
          )
        }
      />
      <Panel flush>
        <Loaded query={query} skeleton={<SkeletonRows rows={5} />}>
          {(data) =>
            data.items.length === 0 ? (
              <EmptyState icon={<IconFileUpload size={20} />} title="Nothing was imported yet">
                CSV with a header, NDJSON or Parquet, up to 4 GiB. Files of the command line appear here as well.
              </EmptyState>
            ) : (
              <>
                <ImportTable jobs={data.items} may={may} onCancel={setCancelling} onResume={setSending} />
                {data.next !== '' && <p className="q-imports-more">The latest {data.items.length} imports; the API has those before.</p>}
              </>
            )
          }
        </Loaded>
      </Panel>
      {sending !== null && (
        <UploadForm
          {...(sending === 'new' ? {} : { resumed: sending })}
          onClose={() => {
            setSending(null);
          }}
        />
      )}
      {cancelling !== null && (
        <CancelImport
          job={cancelling}
          onClose={() => {
            setCancelling(null);
          }}
        />
      )}
    </>
  );
}

function CancelImport({ job, onClose }: { readonly job: ImportJob; readonly onClose: () => void }) {
  const queries = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => cancelImport(job.id),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: importsQuery.queryKey });
      onClose();
    },
  });
  return (
    <Modal opened onClose={onClose} title={`Stop importing ${job.name}?`}>
      <Text mb="md">What was imported so far stays. The same file, sent again, goes on behind it.</Text>
      {cancel.isError && <ProblemPanel error={cancel.error} />}
      <Group justify="flex-end" gap="xs" mt="md">
        <Button variant="default" onClick={onClose} data-autofocus>
          Keep importing
        </Button>
        <Button
          color="red"
          loading={cancel.isPending}
          onClick={() => {
            cancel.mutate();
          }}
        >
          Stop the import
        </Button>
      </Group>
    </Modal>
  );
}
