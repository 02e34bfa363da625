import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconPlus, IconRss } from '@tabler/icons-react';
import { Link } from 'react-router';
import type { FeedState } from '../../api/catalogue';
import { recommendersQuery } from '../../api/recommendations';
import { count } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { EmptyState } from '../../parts/EmptyState';
import { Rows, type Column } from '../../parts/List';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { SkeletonRows } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { feedStanding } from './words';

const columns: readonly Column[] = [
  { label: 'Feed' },
  { label: 'State' },
  { label: 'Items', number: true },
  { label: 'Rejected', number: true },
  { label: 'Last run' },
  { label: 'Last success' },
];

/** The feeds, with how each stands. */
export function FeedsView() {
  const query = useQuery(recommendersQuery);
  return (
    <Panel
      title="Feeds"
      note="Files with products at an address, read on a schedule. Rows that cannot be taken are reported with their line and the reason."
      actions={
        <ActionButton needs="admin" to="/catalogue/feeds/new" leftSection={<IconPlus size={14} />}>
          New feed
        </ActionButton>
      }
      flush
    >
      <Loaded query={query} skeleton={<SkeletonRows rows={3} />}>
        {({ feeds }) =>
          feeds.length === 0 ? (
            <EmptyState icon={<IconRss size={20} />} title="No feeds yet">
              CSV, NDJSON, JSON or the XML of Google Merchant, over HTTP. A feed is tried before it is saved.
            </EmptyState>
          ) : (
            <Rows columns={columns} minWidth={680}>
              {feeds.map((feed) => (
                <FeedRow key={feed.key} feed={feed} />
              ))}
            </Rows>
          )
        }
      </Loaded>
    </Panel>
  );
}

function FeedRow({ feed }: { readonly feed: FeedState }) {
  const { word, tone } = feedStanding(feed);
  return (
    <Table.Tr>
      <Table.Td>
        <Link className="q-quiet q-list-title" to={`/catalogue/feeds/${encodeURIComponent(feed.key)}`}>
          {feed.key}
        </Link>
      </Table.Td>
      <Table.Td style={{ maxWidth: 320 }}>
        <Tag tone={tone}>{word}</Tag>
        {feed.stale && word !== 'stale' && <Tag tone="warning">stale</Tag>}
        {feed.error !== undefined && <span className="q-list-note">{feed.error}</span>}
      </Table.Td>
      <Table.Td className="q-number">
        <Link className="q-quiet" to={`/catalogue?feed=${encodeURIComponent(feed.key)}`}>
          {count(feed.items)}
        </Link>
      </Table.Td>
      <Table.Td className="q-number">{count(feed.rejected)}</Table.Td>
      <Table.Td>
        <Moment at={feed.lastRun} as="ago" />
      </Table.Td>
      <Table.Td>
        <Moment at={feed.lastSuccess} as="ago" />
      </Table.Td>
    </Table.Tr>
  );
}
