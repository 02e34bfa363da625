import { Button, Table } from '@mantine/core';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { keysQuery, revokeKey } from '../../api/settings';
import type { ApiKey } from '../../api/types';
import { isMoment } from '../../format/time';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { NewKey } from './NewKey';

const columns: readonly Column[] = [
  { label: 'Name' },
  { label: 'Scopes' },
  { label: 'Created' },
  { label: 'Last used' },
  { label: 'Actions', silent: true },
];

/** Keys of services. */
export function KeySettings() {
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const [all, setAll] = useState(false);
  return (
    <Panel
      title="API keys"
      note="Services use them to send events and to ask for decisions. Only a hash is stored; the secret is shown once."
      flush
      actions={
        <ActionButton
          needs="admin"
          leftSection={<IconPlus size={14} />}
          onClick={() => {
            setMaking(true);
          }}
        >
          New key
        </ActionButton>
      }
    >
      <List
        page={keysQuery}
        columns={columns}
        rows={4}
        empty={{ icon: <IconKey size={20} />, title: 'No keys yet', text: 'Make one with just the scopes that its service needs.' }}
        footer={(keys) => {
          const revoked = keys.filter((key) => isMoment(key.revokedAt)).length;
          if (revoked === 0) return null;
          return (
            <Button
              variant="subtle"
              size="xs"
              m={8}
              onClick={() => {
                setAll(!all);
              }}
            >
              {all ? 'Hide revoked keys' : `Show ${revoked.toString()} revoked ${revoked === 1 ? 'key' : 'keys'}`}
            </Button>
          );
        }}
      >
        {(keys) => keys.filter((key) => all || !isMoment(key.revokedAt)).map((key) => <KeyRow key={key.id} apiKey={key} onRevoke={setRevoking} />)}
      </List>
      {making && (
        <NewKey
          onClose={() => {
            setMaking(false);
          }}
        />
      )}
      {revoking !== null && (
        <Confirm
          title={`Revoke ${revoking.name}?`}
          verb="Revoke"
          run={() => revokeKey(revoking.id)}
          refresh={[['api-keys']]}
          onClose={() => {
            setRevoking(null);
          }}
        >
          Calls with this key are refused from now on. This can not be undone.
        </Confirm>
      )}
    </Panel>
  );
}

function KeyRow({ apiKey, onRevoke }: { readonly apiKey: ApiKey; readonly onRevoke: (key: ApiKey) => void }) {
  const revoked = isMoment(apiKey.revokedAt);
  return (
    <Table.Tr style={revoked ? { opacity: 0.55 } : undefined}>
      <Table.Td>
        <span className="q-list-title">{apiKey.name}</span>
        <span className="q-list-note q-mono">{apiKey.id}</span>
      </Table.Td>
      <Table.Td>
        {(apiKey.scopes ?? []).map((scope) => (
          <Tag key={scope} tone={scope === 'admin' ? 'warning' : 'neutral'}>
            {scope}
          </Tag>
        ))}
        {apiKey.masked && (
          <Tag tone="quiet" title="Personal data is shown in part only">
            masked
          </Tag>
        )}
      </Table.Td>
      <Table.Td>
        <Moment at={apiKey.createdAt} />
      </Table.Td>
      <Table.Td>
        <Moment at={apiKey.lastUsedAt} as="ago" />
      </Table.Td>
      <Table.Td ta="right">
        {revoked ? (
          <span className="q-muted">
            revoked <Moment at={apiKey.revokedAt} />
          </span>
        ) : (
          <ActionButton
            needs="admin"
            size="compact-xs"
            variant="default"
            onClick={() => {
              onRevoke(apiKey);
            }}
          >
            Revoke<span className="q-hidden-label"> {apiKey.name}</span>
          </ActionButton>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
