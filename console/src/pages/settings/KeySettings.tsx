import { Button, Group, Modal, Table, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { keysQuery, revokeKey } from '../../api/settings';
import type { ApiKey } from '../../api/types';
import { isMoment } from '../../format/time';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonRows } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import { NewKey } from './NewKey';

export function KeySettings() {
  const query = useQuery(keysQuery);
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  return (
    <Panel
      title="API keys"
      note="Services use them to send events and to ask for decisions. Only a hash is stored; the secret is shown once."
      flush
      actions={
        <Button
          size="xs"
          leftSection={<IconPlus size={14} />}
          onClick={() => {
            setMaking(true);
          }}
        >
          New key
        </Button>
      }
    >
      <Loaded query={query} skeleton={<SkeletonRows rows={4} />}>
        {(data) =>
          (data.items ?? []).length === 0 ? (
            <EmptyState icon={<IconKey size={20} />} title="No keys yet">
              Make one with just the scopes that its service needs.
            </EmptyState>
          ) : (
            <KeyTable keys={data.items ?? []} onRevoke={setRevoking} />
          )
        }
      </Loaded>
      {making && (
        <NewKey
          onClose={() => {
            setMaking(false);
          }}
        />
      )}
      {revoking !== null && (
        <RevokeKey
          apiKey={revoking}
          onClose={() => {
            setRevoking(null);
          }}
        />
      )}
    </Panel>
  );
}

interface KeyTableProps {
  readonly keys: readonly ApiKey[];
  readonly onRevoke: (key: ApiKey) => void;
}

function KeyTable({ keys, onRevoke }: KeyTableProps) {
  const [all, setAll] = useState(false);
  const used = keys.filter((key) => !isMoment(key.revokedAt));
  const revokedKeys = keys.length - used.length;
  return (
    <>
      <KeyRows keys={all ? keys : used} onRevoke={onRevoke} />
      {revokedKeys > 0 && (
        <Button
          variant="subtle"
          size="xs"
          m={8}
          onClick={() => {
            setAll(!all);
          }}
        >
          {all ? 'Hide revoked keys' : `Show ${revokedKeys.toString()} revoked ${revokedKeys === 1 ? 'key' : 'keys'}`}
        </Button>
      )}
    </>
  );
}

function KeyRows({ keys, onRevoke }: KeyTableProps) {
  return (
    <Table.ScrollContainer minWidth={640}>
      <Table className="q-list" verticalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th>Scopes</Table.Th>
            <Table.Th>Created</Table.Th>
            <Table.Th>Last used</Table.Th>
            <Table.Th>
              <span className="q-hidden-label">Actions</span>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {keys.map((key) => {
            const revoked = isMoment(key.revokedAt);
            return (
              <Table.Tr key={key.id} style={revoked ? { opacity: 0.55 } : undefined}>
                <Table.Td>
                  <span className="q-list-title">{key.name}</span>
                  <span className="q-list-note q-mono">{key.id}</span>
                </Table.Td>
                <Table.Td>
                  {(key.scopes ?? []).map((scope) => (
                    <Tag key={scope} tone={scope === 'admin' ? 'warning' : 'neutral'}>
                      {scope}
                    </Tag>
                  ))}
                  {key.masked && (
                    <Tag tone="quiet" title="Personal data is shown in part only">
                      masked
                    </Tag>
                  )}
                </Table.Td>
                <Table.Td>
                  <Moment at={key.createdAt} />
                </Table.Td>
                <Table.Td>
                  <Moment at={key.lastUsedAt} as="ago" />
                </Table.Td>
                <Table.Td ta="right">
                  {revoked ? (
                    <span className="q-muted">
                      revoked <Moment at={key.revokedAt} />
                    </span>
                  ) : (
                    <Button
                      size="compact-xs"
                      variant="default"
                      onClick={() => {
                        onRevoke(key);
                      }}
                    >
                      Revoke<span className="q-hidden-label"> {key.name}</span>
                    </Button>
                  )}
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

interface RevokeKeyProps {
  readonly apiKey: ApiKey;
  readonly onClose: () => void;
}

function RevokeKey({ apiKey, onClose }: RevokeKeyProps) {
  const queries = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => revokeKey(apiKey.id),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: keysQuery.queryKey });
      onClose();
    },
  });
  return (
    <Modal opened onClose={onClose} title={`Revoke ${apiKey.name}?`}>
      <Text mb="md">Calls with this key are refused from now on. This can not be undone.</Text>
      {revoke.isError && <ProblemPanel error={revoke.error} />}
      <Group justify="flex-end" gap="xs" mt="md">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <Button
          color="red"
          loading={revoke.isPending}
          onClick={() => {
            revoke.mutate();
          }}
        >
          Revoke
        </Button>
      </Group>
    </Modal>
  );
}
