import { Button, Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconPlus, IconUsersGroup } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { segmentCountQuery, segmentsQuery } from '../../api/segments';
import type { Segment } from '../../api/types';
import { count, percent } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Pager } from '../../parts/Pager';
import { Panel } from '../../parts/Panel';
import { SkeletonRows } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import { ruleWords } from './words';

export function SegmentsPage() {
  const [after, setAfter] = useState('');
  const segments = useQuery(segmentsQuery(after));
  return (
    <>
      <PageHeader
        title="Segments"
        note="Groups of people: by a rule that is worked out with every event, or as a list."
        actions={
          <Button size="xs" component={Link} to="/segments/new" leftSection={<IconPlus size={14} />}>
            New segment
          </Button>
        }
      />
      <Panel flush>
        <Loaded query={segments} skeleton={<SkeletonRows rows={6} />}>
          {(data) => {
            const items = data.items ?? [];
            return items.length === 0 ? (
              <EmptyState icon={<IconUsersGroup size={20} />} title="No segments yet">
                A segment is a rule about people. <Link className="q-link" to="/segments/new">Build the first one</Link> from ready filters.
              </EmptyState>
            ) : (
              <SegmentTable segments={items} />
            );
          }}
        </Loaded>
        <Pager at={after} next={segments.data?.next ?? ''} onShow={setAfter} />
      </Panel>
    </>
  );
}

function SegmentTable({ segments }: { readonly segments: readonly Segment[] }) {
  return (
    <Table className="q-list" highlightOnHover>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Segment</Table.Th>
          <Table.Th visibleFrom="sm">Who</Table.Th>
          <Table.Th>Kind</Table.Th>
          <Table.Th className="q-number">People</Table.Th>
          <Table.Th>Updated</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {segments.map((segment) => (
          <Table.Tr key={segment.key}>
            <Table.Td>
              <Link className="q-quiet" to={`/segments/${encodeURIComponent(segment.key)}`}>
                <span className="q-list-title">{segment.name || segment.key}</span>
                <span className="q-list-note q-mono">{segment.key}</span>
              </Link>
            </Table.Td>
            <Table.Td className="q-muted" visibleFrom="sm">
              <div className="q-clip" style={{ maxWidth: 420 }} title={ruleWords(segment.rule)}>
                {segment.rule === undefined ? (segment.description ?? 'People on a list') : ruleWords(segment.rule)}
              </div>
            </Table.Td>
            <Table.Td>
              <SegmentKind segment={segment} />
            </Table.Td>
            <Table.Td className="q-number">
              <Size segment={segment.key} />
            </Table.Td>
            <Table.Td>
              <Moment at={segment.updatedAt} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

/** Whether a rule or a list says who is in. */
export function SegmentKind({ segment }: { readonly segment: Pick<Segment, 'kind' | 'frozen'> }) {
  if (segment.kind !== 'static') return <Tag tone="accent" title="Whoever fulfils the rule">dynamic</Tag>;
  return <Tag title="A list">{segment.frozen === undefined ? 'list' : 'frozen list'}</Tag>;
}

function Size({ segment }: { readonly segment: string }) {
  const size = useQuery({ ...segmentCountQuery(segment), refetchInterval: 30_000 });
  if (size.data === undefined) return <span className="q-faint">{size.isError ? '–' : '…'}</span>;
  return (
    <span title={`${percent(size.data.share)} of ${count(size.data.people)} people`}>
      {count(size.data.members)}
      {!size.data.ready && <span className="q-faint"> so far</span>}
    </span>
  );
}
