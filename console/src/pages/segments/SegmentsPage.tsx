import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconPlus, IconUsersGroup } from '@tabler/icons-react';
import { Link } from 'react-router';
import { segmentCountQuery, segmentsQuery } from '../../api/segments';
import type { Segment } from '../../api/types';
import { count, percent } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { ruleWords } from './words';

const columns: readonly Column[] = [
  { label: 'Segment' },
  { label: 'Who', visibleFrom: 'sm' },
  { label: 'Kind' },
  { label: 'People', number: true },
  { label: 'Updated' },
];

/** Groups of people. */
export function SegmentsPage() {
  return (
    <>
      <PageHeader
        title="Segments"
        note="Groups of people: by a rule that is worked out with every event, or as a list."
        actions={
          <ActionButton needs="define" to="/segments/new" leftSection={<IconPlus size={14} />}>
            New segment
          </ActionButton>
        }
      />
      <Panel flush>
        <List
          page={segmentsQuery}
          columns={columns}
          minWidth={480}
          rows={6}
          empty={{
            icon: <IconUsersGroup size={20} />,
            title: 'No segments yet',
            text: 'A segment is a rule about people, built from ready filters.',
          }}
        >
          {(segments) => segments.map((segment) => <SegmentRow key={segment.key} segment={segment} />)}
        </List>
      </Panel>
    </>
  );
}

function SegmentRow({ segment }: { readonly segment: Segment }) {
  return (
    <Table.Tr>
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
