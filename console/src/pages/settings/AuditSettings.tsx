import { Button, SegmentedControl, Table, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconListSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { auditQuery, type AuditFilter } from '../../api/audit';
import type { AuditEntry } from '../../api/types';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { SkeletonRows } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import { momentOf } from './auditFilter';
import './settings.css';

const everything: AuditFilter = { actor: '', path: '', personal: '', from: '', to: '' };

/** Who changed what and who looked at personal data. */
export function AuditSettings() {
  const [actor, setActor] = useState('');
  const [path, setPath] = useState('');
  const [personal, setPersonal] = useState<AuditFilter['personal']>('');
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const [words] = useDebouncedValue({ actor: actor.trim(), path: path.trim() }, 300);
  const filter: AuditFilter = { ...words, personal, from: momentOf(from), to: momentOf(to) };
  const query = useInfiniteQuery(auditQuery(filter));
  const filtered = Object.entries(filter).some(([name, value]) => value !== everything[name as keyof AuditFilter]);
  return (
    <Panel title="Audit log" note="Every change and every look at personal data, newest first." flush>
      <div className="q-filter" role="search" aria-label="Filter of the audit log">
        <SegmentedControl
          size="xs"
          aria-label="What is shown"
          data={[
            { value: '', label: 'All' },
            { value: 'false', label: 'Changes' },
            { value: 'true', label: 'Personal data' },
          ]}
          value={personal}
          onChange={(value) => {
            setPersonal(value === 'true' || value === 'false' ? value : '');
          }}
        />
        <TextInput
          size="xs"
          label="Who"
          placeholder="user:… or key:…"
          value={actor}
          onChange={(event) => {
            setActor(event.currentTarget.value);
          }}
        />
        <TextInput
          size="xs"
          label="Path begins with"
          placeholder="/v1/profiles/"
          value={path}
          onChange={(event) => {
            setPath(event.currentTarget.value);
          }}
        />
        <TextInput
          size="xs"
          type="datetime-local"
          label="From"
          value={from}
          onChange={(event) => {
            setFrom(event.currentTarget.value);
          }}
        />
        <TextInput
          size="xs"
          type="datetime-local"
          label="To"
          value={to}
          onChange={(event) => {
            setTo(event.currentTarget.value);
          }}
        />
        {filtered && (
          <Button
            size="xs"
            variant="subtle"
            onClick={() => {
              setActor('');
              setPath('');
              setPersonal('');
              setFrom('');
              setTo('');
            }}
          >
            Show all
          </Button>
        )}
      </div>
      <Loaded query={query} skeleton={<SkeletonRows rows={8} />}>
        {({ pages }) => {
          const entries = pages.flatMap((page) => page.items);
          if (entries.length === 0) {
            return (
              <EmptyState icon={<IconListSearch size={20} />} title={filtered ? 'No entry fits the filter' : 'Nothing is logged yet'}>
                {filtered ? 'Ask for more time, or for less of a path.' : 'The first change or look at a profile appears here.'}
              </EmptyState>
            );
          }
          return (
            <>
              <AuditTable
                entries={entries}
                onActor={(name) => {
                  setActor(name);
                }}
              />
              {query.hasNextPage && (
                <Button
                  m={10}
                  size="xs"
                  variant="default"
                  loading={query.isFetchingNextPage}
                  onClick={() => {
                    void query.fetchNextPage();
                  }}
                >
                  Show older entries
                </Button>
              )}
            </>
          );
        }}
      </Loaded>
    </Panel>
  );
}

function AuditTable({ entries, onActor }: { readonly entries: readonly AuditEntry[]; readonly onActor: (actor: string) => void }) {
  return (
    <Table.ScrollContainer minWidth={720}>
      <Table className="q-list" verticalSpacing={7}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>When</Table.Th>
            <Table.Th>Who</Table.Th>
            <Table.Th>What</Table.Th>
            <Table.Th>Answer</Table.Th>
            <Table.Th>From</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {entries.map((entry) => (
            <Table.Tr key={entry.id}>
              <Table.Td>
                <Moment at={entry.at} as="second" />
              </Table.Td>
              <Table.Td>
                <button
                  type="button"
                  className="q-audit-actor"
                  title={`Only entries of ${entry.actor}`}
                  onClick={() => {
                    onActor(entry.actor);
                  }}
                >
                  {entry.actorName === '' ? entry.actor : entry.actorName}
                </button>
              </Table.Td>
              <Table.Td>
                <span>
                  {entry.operation.replaceAll('-', ' ')} {entry.personal && <Tag tone="accent">personal data</Tag>}
                </span>
                <span className="q-list-note q-mono q-audit-path">
                  {entry.method} {entry.path}
                </span>
              </Table.Td>
              <Table.Td>{entry.status < 400 ? <span className="q-muted">{entry.status}</span> : <Tag tone="worse">{entry.status} refused</Tag>}</Table.Td>
              <Table.Td className="q-mono">{entry.address}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
