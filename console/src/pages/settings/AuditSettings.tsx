import { Button, SegmentedControl, Table, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconListSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { auditQuery, type AuditFilter } from '../../api/audit';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { momentOf } from './auditFilter';
import './settings.css';

const columns: readonly Column[] = [{ label: 'When' }, { label: 'Who' }, { label: 'What' }, { label: 'Answer' }, { label: 'From' }];
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
      <List
        key={JSON.stringify(filter)}
        page={(before) => auditQuery(filter, before)}
        columns={columns}
        minWidth={720}
        rows={8}
        empty={{
          icon: <IconListSearch size={20} />,
          title: filtered ? 'No entry fits the filter' : 'Nothing is logged yet',
          text: filtered ? 'Ask for more time, or for less of a path.' : 'The first change or look at a profile appears here.',
        }}
      >
        {(entries) =>
          entries.map((entry) => (
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
                    setActor(entry.actor);
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
          ))
        }
      </List>
    </Panel>
  );
}
