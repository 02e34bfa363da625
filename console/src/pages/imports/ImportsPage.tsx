import { IconFileUpload, IconUpload } from '@tabler/icons-react';
import { useState } from 'react';
import { cancelImport, importsQuery } from '../../api/imports';
import type { ImportJob } from '../../api/types';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { List, type Column } from '../../parts/List';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ImportRow } from './ImportRow';
import { UploadForm } from './UploadForm';
import './imports.css';

const columns: readonly Column[] = [
  { label: 'File' },
  { label: 'Status' },
  { label: 'Rows done' },
  { label: 'Accepted', number: true },
  { label: 'Rejected', number: true },
  { label: 'Begun' },
  { label: 'Actions', silent: true },
];

/** Files that were brought in or are on their way, and the form that sends one. */
export function ImportsPage() {
  const [sending, setSending] = useState<ImportJob | 'new' | null>(null);
  const [cancelling, setCancelling] = useState<ImportJob | null>(null);
  return (
    <>
      <PageHeader
        title="Imports"
        note="Files of people, of what they did, or of items. A row is stored once, however often it is sent; a bad one stops nothing."
        actions={
          <ActionButton
            needs="ingest"
            size="sm"
            leftSection={<IconUpload size={15} />}
            onClick={() => {
              setSending('new');
            }}
          >
            Import a file
          </ActionButton>
        }
      />
      <Panel flush>
        <List
          page={importsQuery}
          columns={columns}
          minWidth={760}
          empty={{
            icon: <IconFileUpload size={20} />,
            title: 'Nothing was imported yet',
            text: 'CSV with a header, NDJSON or Parquet, up to 4 GiB. Files of the command line appear here as well.',
          }}
        >
          {(jobs) => jobs.map((job) => <ImportRow key={job.id} job={job} onCancel={setCancelling} onResume={setSending} />)}
        </List>
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
        <Confirm
          title={`Stop importing ${cancelling.name}?`}
          verb="Stop the import"
          leave="Keep importing"
          run={() => cancelImport(cancelling.id)}
          refresh={[['imports']]}
          onClose={() => {
            setCancelling(null);
          }}
        >
          What was imported so far stays. The same file, sent again, goes on behind it.
        </Confirm>
      )}
    </>
  );
}
