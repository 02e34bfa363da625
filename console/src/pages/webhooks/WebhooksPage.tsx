import { Table } from '@mantine/core';
import { IconPlus, IconWebhook } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { deleteWebhook, webhooksQuery } from '../../api/webhooks';
import type { Webhook } from '../../api/types';
import { ActionButton } from '../../parts/ActionButton';
import { Allowed } from '../../parts/Allowed';
import { Confirm } from '../../parts/Confirm';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { proofWords } from './definition';
import './webhooks.css';

const columns: readonly Column[] = [
  { label: 'Webhook' },
  { label: 'Callers prove themselves by' },
  { label: 'Becomes' },
  { label: 'Changed' },
  { label: 'Actions', silent: true },
];

/** Systems that post what they like, each with a definition of what it means. */
export function WebhooksPage() {
  const [deleting, setDeleting] = useState<Webhook | null>(null);
  return (
    <>
      <PageHeader
        title="Webhooks"
        note="A CRM, the tills or a call centre post what they like; a definition says which messages it becomes."
        actions={
          <ActionButton needs="admin" size="sm" to="/webhooks/new" leftSection={<IconPlus size={15} />}>
            New webhook
          </ActionButton>
        }
      />
      <Allowed needs="admin">
        <Panel flush>
          <List
            page={webhooksQuery}
            columns={columns}
            minWidth={680}
            rows={4}
            empty={{
              icon: <IconWebhook size={20} />,
              title: 'No webhooks yet',
              text: 'Begin with an example: a CRM with a secret, tills that sign, a call centre that posts a form.',
            }}
          >
            {(webhooks) => webhooks.map((webhook) => <WebhookRow key={webhook.key} webhook={webhook} onDelete={setDeleting} />)}
          </List>
        </Panel>
      </Allowed>
      {deleting !== null && (
        <Confirm
          title={`Delete ${deleting.name}?`}
          verb="Delete"
          run={() => deleteWebhook(deleting.key, deleting.version)}
          refresh={[['webhooks']]}
          onClose={() => {
            setDeleting(null);
          }}
        >
          Calls to /v1/hooks/{deleting.key} are refused from now on. What came through it stays.
        </Confirm>
      )}
    </>
  );
}

function WebhookRow({ webhook, onDelete }: { readonly webhook: Webhook; readonly onDelete: (webhook: Webhook) => void }) {
  return (
    <Table.Tr>
      <Table.Td>
        <Link className="q-quiet q-list-title" to={`/webhooks/${encodeURIComponent(webhook.key)}`}>
          {webhook.name}
        </Link>
        <span className="q-list-note q-mono">POST /v1/hooks/{webhook.key}</span>
      </Table.Td>
      <Table.Td>{proofWords(webhook)}</Table.Td>
      <Table.Td>
        {[...new Set(webhook.messages.map(({ type }) => type))].map((type) => (
          <Tag key={type}>{type}</Tag>
        ))}
        {webhook.inactive === true && <Tag tone="warning">refuses calls</Tag>}
      </Table.Td>
      <Table.Td>
        <Moment at={webhook.updatedAt} />
        <span className="q-list-note">version {webhook.version}</span>
      </Table.Td>
      <Table.Td ta="right">
        <ActionButton
          needs="admin"
          size="compact-xs"
          variant="default"
          onClick={() => {
            onDelete(webhook);
          }}
        >
          Delete<span className="q-hidden-label"> {webhook.name}</span>
        </ActionButton>
      </Table.Td>
    </Table.Tr>
  );
}
