import { Button, Drawer, Group, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { quarantinedQuery } from '../../api/quality';
import type { Quarantined } from '../../api/types';
import { count } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Terms } from '../../parts/Terms';
import { SettleDialog } from './SettleDialog';
import { causes, sourceTitle } from './words';

/** One refused message: every rule that it breaks, and what was sent. */
export function QuarantinedDrawer({ id, onClose }: { readonly id: string; readonly onClose: () => void }) {
  const query = useQuery(quarantinedQuery(id));
  return (
    <Drawer opened onClose={onClose} position="right" size="lg" title="A refused message">
      <Loaded query={query} skeleton={<SkeletonBlock height={320} />}>
        {(item) => <Item item={item} onClose={onClose} />}
      </Loaded>
    </Drawer>
  );
}

function Item({ item, onClose }: { readonly item: Quarantined; readonly onClose: () => void }) {
  const [settling, setSettling] = useState<'replay' | 'discard' | null>(null);
  return (
    <Stack gap="md">
      <Terms
        entries={[
          ['Refused', <Moment key="at" at={item.receivedAt} as="second" />],
          ['Source', sourceTitle({ id: item.source, ...(item.sourceName === undefined ? {} : { name: item.sourceName }) })],
          ['Cause', causes[item.cause].meaning],
          ['Status', item.status],
          ...(item.settledBy === undefined || item.settledBy === '' ? [] : [['Settled by', item.settledBy] as const]),
          ...(item.messageId === undefined || item.messageId === '' ? [] : [['messageId', <code key="id" className="q-mono">{item.messageId}</code>] as const]),
        ]}
      />
      <div>
        <h3 className="q-panel-title">Rules that it breaks</h3>
        <ul className="q-problem-findings">
          {item.errors.map((error) => (
            <li key={`${error.location} ${error.message}`}>
              {error.location !== '' && <code>{error.location}</code>} {error.message}
            </li>
          ))}
        </ul>
      </div>
      <div>
        <h3 className="q-panel-title">What was sent</h3>
        <Body item={item} />
      </div>
      {item.status === 'open' && (
        <Group gap="xs" justify="flex-end">
          <ActionButton
            needs="define"
            variant="default"
            onClick={() => {
              setSettling('discard');
            }}
          >
            Discard
          </ActionButton>
          <ActionButton
            needs="define"
            blocked={item.truncated === true ? 'It is longer than what is kept, so that it cannot be taken in.' : ''}
            onClick={() => {
              setSettling('replay');
            }}
          >
            Correct and take in
          </ActionButton>
        </Group>
      )}
      <Group justify="flex-end">
        <Button variant="subtle" size="xs" onClick={onClose}>
          Close
        </Button>
      </Group>
      {settling !== null && (
        <SettleDialog
          how={settling}
          what={{ ids: [item.id] }}
          words="this one"
          onClose={() => {
            setSettling(null);
          }}
        />
      )}
    </Stack>
  );
}

function Body({ item }: { readonly item: Quarantined }) {
  if (item.hidden === true) return <p className="q-muted">Your role does not see personal data, and a message may hold some.</p>;
  if (item.body === undefined || item.body === null) return <p className="q-muted">It was removed when the message was settled.</p>;
  return (
    <>
      <pre className="q-body-json" tabIndex={0}>
        {typeof item.body === 'string' ? item.body : JSON.stringify(item.body, null, 2)}
      </pre>
      {item.truncated === true && <p className="q-list-note">The first 32 kB of {count(item.bytes)} bytes.</p>}
    </>
  );
}
