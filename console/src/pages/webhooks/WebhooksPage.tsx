import { Button, Group, Modal, Table, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconPlus, IconWebhook } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { deleteWebhook, webhooksQuery } from '../../api/webhooks';
import type { Webhook } from '../../api/types';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonRows } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import { proofWords } from './definition';
import './webhooks.css';

/** Systems that post what they like, each with a definition of what it means. */
export function WebhooksPage() {
  const query = useQuery(webhooksQuery);
  const [deleting, setDeleting] = useState<Webhook | null>(null);
  return (
    <>
      <PageHeader
        title="Webhooks"
        note="A CRM, the tills or a call centre post what they like; a definition says which messages it becomes."
        actions={
          <Button component={Link} to="/webhooks/new" leftSection={<IconPlus size={15} />}>
            New webhook
          </Button>
        }
      />
      <Panel flush>
        <Loaded query={query} skeleton={<SkeletonRows rows={4} />}>
          {(data) =>
            data.items.length === 0 ? (
              <EmptyState icon={<IconWebhook size={20} />} title="No webhooks yet">
                Begin with an example: a CRM with a secret, tills that sign, a call centre that posts a form.
              </EmptyState>
            ) : (
              <WebhookTable webhooks={data.items} onDelete={setDeleting} />
            )
          }
        </Loaded>
      </Panel>
      {deleting !== null && (
        <DeleteWebhook
          webhook={deleting}
          onClose={() => {
            setDeleting(null);
          }}
        />
      )}
    </>
  );
}

function WebhookTable({ webhooks, onDelete }: { readonly webhooks: readonly Webhook[]; readonly onDelete: (webhook: Webhook) => void }) {
  return (
    <Table.ScrollContainer minWidth={680}>
      <Table className="q-list" verticalSpacing={9}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Webhook</Table.Th>
            <Table.Th>Callers prove themselves by</Table.Th>
            <Table.Th>Becomes</Table.Th>
            <Table.Th>Changed</Table.Th>
            <Table.Th>
              <span className="q-hidden-label">Actions</span>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {webhooks.map((webhook) => (
            <Table.Tr key={webhook.key}>
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
                <Button
                  size="compact-xs"
                  variant="default"
                  onClick={() => {
                    onDelete(webhook);
                  }}
                >
                  Delete<span className="q-hidden-label"> {webhook.name}</span>
                </Button>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function DeleteWebhook({ webhook, onClose }: { readonly webhook: Webhook; readonly onClose: () => void }) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => deleteWebhook(webhook.key, webhook.version),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: webhooksQuery.queryKey });
      onClose();
    },
  });
  return (
    <Modal opened onClose={onClose} title={`Delete ${webhook.name}?`}>
      <Text mb="md">Calls to /v1/hooks/{webhook.key} are refused from now on. What came through it stays.</Text>
      {remove.isError && <ProblemPanel error={remove.error} />}
      <Group justify="flex-end" gap="xs" mt="md">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <Button
          color="red"
          loading={remove.isPending}
          onClick={() => {
            remove.mutate();
          }}
        >
          Delete
        </Button>
      </Group>
    </Modal>
  );
}
