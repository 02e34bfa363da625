import { Button, Group, Modal, Stack, Table, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconPencil, IconSnowflake, IconTrash, IconUsers } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import {
  deleteSegment,
  freezeSegment,
  segmentCountQuery,
  segmentMembersQuery,
  segmentQuery,
  segmentVersionsQuery,
} from '../../api/segments';
import type { Segment } from '../../api/types';
import { count, percent } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { EmptyState } from '../../parts/EmptyState';
import { Figure, Figures } from '../../parts/Figure';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Pager } from '../../parts/Pager';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock, SkeletonRows } from '../../parts/Skeletons';
import '../../parts/list-table.css';
import { personName, personNote } from '../profiles/person';
import { RuleWords } from './RuleWords';
import { SegmentKind } from './SegmentsPage';
import { ruleWords } from './words';

export function SegmentPage() {
  const { key = '' } = useParams();
  const query = useQuery(segmentQuery(key));
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={480} />}>
      {({ segment }) => (
        <>
          <PageHeader
            parent={{ to: '/segments', label: 'Segments' }}
            title={segment.name || segment.key}
            badges={<SegmentKind segment={segment} />}
            note={
              <>
                <span className="q-mono">{segment.key}</span>
                {segment.description ? ` · ${segment.description}` : ''}
              </>
            }
            actions={<Actions segment={segment} />}
          />
          <div className="q-columns">
            <MembersPanel segment={key} />
            <div className="q-stack">
              <CountPanel segment={key} />
              <RulePanel segment={segment} />
              <HistoryPanel segment={key} />
            </div>
          </div>
        </>
      )}
    </Loaded>
  );
}

function Actions({ segment }: { readonly segment: Segment }) {
  const [asking, setAsking] = useState<'freeze' | 'delete' | null>(null);
  const close = () => {
    setAsking(null);
  };
  return (
    <Group gap="xs">
      {segment.kind !== 'static' && (
        <ActionButton needs="define" variant="default" to={`/segments/${encodeURIComponent(segment.key)}/edit`} leftSection={<IconPencil size={14} />}>
          Edit
        </ActionButton>
      )}
      <ActionButton needs="admin" variant="default" leftSection={<IconSnowflake size={14} />} onClick={() => { setAsking('freeze'); }}>
        Freeze
      </ActionButton>
      <ActionButton needs="define" variant="default" leftSection={<IconTrash size={14} />} onClick={() => { setAsking('delete'); }}>
        Delete
      </ActionButton>
      {asking === 'freeze' && <Freeze segment={segment} onClose={close} />}
      {asking === 'delete' && <Delete segment={segment} onClose={close} />}
    </Group>
  );
}

interface DialogProps {
  readonly segment: Segment;
  readonly onClose: () => void;
}

function Freeze({ segment, onClose }: DialogProps) {
  const today = new Date().toISOString().slice(0, 10);
  const [key, setKey] = useState(`${segment.key}-${today}`);
  const [name, setName] = useState(`${segment.name || segment.key}, ${today}`);
  const queries = useQueryClient();
  const navigate = useNavigate();
  const freeze = useMutation({
    mutationFn: () => freezeSegment(segment.key, key.trim(), name.trim()),
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: ['segments'] });
      onClose();
      await navigate(`/segments/${encodeURIComponent(made.key)}`);
    },
  });
  return (
    <Modal opened onClose={onClose} title="Freeze this segment">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          freeze.mutate();
        }}
      >
        <Stack gap="sm">
          <Text>A list is made of the people who are in it now. It keeps the rule and the time that made it, and does not change by itself.</Text>
          {freeze.isError && <ProblemPanel error={freeze.error} />}
          <TextInput label="Key of the list" required withAsterisk={false} data-autofocus value={key} onChange={(event) => { setKey(event.currentTarget.value); }} />
          <TextInput label="Name" value={name} onChange={(event) => { setName(event.currentTarget.value); }} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={freeze.isPending}>
              Make the list
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Delete({ segment, onClose }: DialogProps) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () => deleteSegment(segment.key),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['segments'] });
      await navigate('/segments');
    },
  });
  return (
    <Modal opened onClose={onClose} title={`Delete ${segment.name || segment.key}?`}>
      <Text mb="md">Nobody is in it any more, and rules that refer to it find nobody there. Its versions stay in the history.</Text>
      {remove.isError && <ProblemPanel error={remove.error} />}
      <Group justify="flex-end" mt="md" gap="xs">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <Button color="red" loading={remove.isPending} onClick={() => { remove.mutate(); }}>
          Delete
        </Button>
      </Group>
    </Modal>
  );
}

function CountPanel({ segment }: { readonly segment: string }) {
  const size = useQuery(segmentCountQuery(segment));
  return (
    <Panel title="Now">
      <Loaded query={size} skeleton={<SkeletonBlock height={56} />}>
        {(data) => (
          <>
            <Figures>
              <Figure label="People in it" value={count(data.members)} note={data.ready ? undefined : 'so far: they are being worked out'} />
              <Figure label={`Of ${count(data.people)} people`} value={percent(data.share)} />
            </Figures>
            {data.asked && <p className="q-muted">This rule is asked of the event log at intervals: changes show some time later.</p>}
          </>
        )}
      </Loaded>
    </Panel>
  );
}

function RulePanel({ segment }: { readonly segment: Segment }) {
  const { frozen } = segment;
  return (
    <Panel
      title={segment.kind === 'static' ? 'The list' : 'Who is in it'}
      note={
        frozen === undefined ? undefined : (
          <>
            Frozen from{' '}
            <Link className="q-link" to={`/segments/${encodeURIComponent(frozen.segment)}`}>
              {frozen.segment}
            </Link>{' '}
            (version {frozen.version}) on <Moment at={frozen.at} />, with {count(frozen.members)} people then
          </>
        )
      }
    >
      {segment.rule === undefined ? <p className="q-muted">People are put on this list and taken off it one by one.</p> : <RuleWords rule={segment.rule} />}
    </Panel>
  );
}

function HistoryPanel({ segment }: { readonly segment: string }) {
  const versions = useQuery(segmentVersionsQuery(segment));
  return (
    <Panel title="History of the definition" note="Newest first.">
      <Loaded query={versions} skeleton={<SkeletonRows rows={3} />}>
        {(data) => (
          <ol style={{ listStyle: 'none', margin: 0, padding: 0 }}>
            {(data.items ?? []).map((version) => (
              <li key={version.version} style={{ padding: '6px 0' }}>
                <b>Version {version.version}</b>{' '}
                <span className="q-muted">
                  <Moment at={version.updatedAt} /> by {version.updatedBy}
                </span>
                <div className="q-muted q-clip" title={ruleWords(version.value?.rule)}>
                  {version.deleted ? 'Deleted' : ruleWords(version.value?.rule) || 'A list'}
                </div>
              </li>
            ))}
          </ol>
        )}
      </Loaded>
    </Panel>
  );
}

function MembersPanel({ segment }: { readonly segment: string }) {
  const [after, setAfter] = useState('');
  const members = useQuery(segmentMembersQuery(segment, after));
  return (
    <Panel title="People" flush>
      <Loaded query={members} skeleton={<SkeletonRows rows={8} />}>
        {(data) => {
          const people = data.items ?? [];
          return people.length === 0 ? (
            <EmptyState icon={<IconUsers size={20} />} title="Nobody is in this segment">
              People appear here with the event that makes the rule true.
            </EmptyState>
          ) : (
            <Table className="q-list" highlightOnHover>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Person</Table.Th>
                  <Table.Th>Last seen</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {people.map((person) => (
                  <Table.Tr key={person.profileId}>
                    <Table.Td>
                      <Link className="q-quiet" to={`/profiles/${encodeURIComponent(person.profileId)}`}>
                        <span className="q-list-title">{personName(person)}</span>
                        <span className="q-list-note">{personNote(person)}</span>
                      </Link>
                    </Table.Td>
                    <Table.Td>
                      <Moment at={person.lastSeenAt} as="ago" />
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          );
        }}
      </Loaded>
      <Pager at={after} next={members.data?.next ?? ''} onShow={setAfter} />
    </Panel>
  );
}
