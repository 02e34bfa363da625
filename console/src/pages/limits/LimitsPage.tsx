import { Group, Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconClockPause, IconCoins, IconPlus, IconRepeatOff } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import { budgetsQuery, capsQuery, deleteLimit, quietHoursQuery, standingQuery } from '../../api/limits';
import type { Budget } from '../../api/types';
import { count } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { List, type Column } from '../../parts/List';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { LimitForm, type Editing } from './LimitForm';
import { capWords, quietWords } from './words';

const columns = (what: string): readonly Column[] => [{ label: what }, { label: 'What it says' }, { label: 'Actions', silent: true }];

interface Deleting {
  readonly kind: Editing['kind'];
  readonly row: { readonly key: string; readonly name?: string; readonly version: number };
}

/** What holds for all decisions: caps, quiet hours and budgets. */
export function LimitsPage() {
  const [editing, setEditing] = useState<Editing | null>(null);
  const [deleting, setDeleting] = useState<Deleting | null>(null);
  const standing = useQuery(standingQuery);
  const add = (kind: Editing['kind'], label: string) => (
    <ActionButton
      needs="define"
      leftSection={<IconPlus size={14} />}
      onClick={() => {
        setEditing({ kind });
      }}
    >
      {label}
    </ActionButton>
  );
  const row = (item: Deleting['row'], words: ReactNode, change: Editing) => (
    <Table.Tr key={item.key}>
      <Table.Td>
        <span className="q-list-title">{item.name ?? item.key}</span>
        <span className="q-list-note q-mono">{item.key}</span>
      </Table.Td>
      <Table.Td className="q-list-plain">{words}</Table.Td>
      <Table.Td ta="right">
        <Group gap={6} justify="flex-end" wrap="nowrap">
          <ActionButton
            needs="define"
            size="compact-xs"
            variant="default"
            onClick={() => {
              setEditing(change);
            }}
          >
            Change<span className="q-hidden-label"> {item.key}</span>
          </ActionButton>
          <ActionButton
            needs="define"
            size="compact-xs"
            variant="default"
            onClick={() => {
              setDeleting({ kind: change.kind, row: item });
            }}
          >
            Delete<span className="q-hidden-label"> {item.key}</span>
          </ActionButton>
        </Group>
      </Table.Td>
    </Table.Tr>
  );
  return (
    <>
      <PageHeader
        title="Limits"
        note="How often a person is contacted, when not, and what it may cost. Every decision keeps to them, and its record names the one that removed an action."
        actions={
          <Group gap="xs">
            {add('caps', 'New cap')}
            {add('quiet-hours', 'New quiet hours')}
            {add('budgets', 'New budget')}
          </Group>
        }
      />
      <div className="q-stack">
        <Panel title="Caps" note={standing.data === undefined ? undefined : `${count(standing.data.contacts)} contacts are counted.`} flush>
          <List page={capsQuery} columns={columns('Cap')} minWidth={520} rows={2} empty={{ icon: <IconRepeatOff size={20} />, title: 'No caps', text: 'Without a cap a person gets as many contacts as decisions find worth it.' }}>
            {(caps) => caps.map((cap) => row(cap, capWords(cap), { kind: 'caps', row: cap }))}
          </List>
        </Panel>
        <Panel title="Quiet hours" flush>
          <List page={quietHoursQuery} columns={columns('Quiet hours')} minWidth={520} rows={2} empty={{ icon: <IconClockPause size={20} />, title: 'No quiet hours', text: 'Messages are sent at any time of the day.' }}>
            {(all) => all.map((quiet) => row(quiet, quietWords(quiet), { kind: 'quiet-hours', row: quiet }))}
          </List>
        </Panel>
        <Panel title="Budgets" flush>
          <List page={budgetsQuery} columns={columns('Budget')} minWidth={520} rows={2} empty={{ icon: <IconCoins size={20} />, title: 'No budgets', text: 'A budget limits money or contacts, and can be made to last until a date.' }}>
            {(budgets) => budgets.map((budget) => row(budget, <Spent budget={budget} standing={standing.data?.budgets.find(({ key }) => key === budget.key)} />, { kind: 'budgets', row: budget }))}
          </List>
        </Panel>
      </div>
      {editing !== null && (
        <LimitForm
          editing={editing}
          onClose={() => {
            setEditing(null);
          }}
        />
      )}
      {deleting !== null && (
        <Confirm
          title={`Delete ${deleting.row.name ?? deleting.row.key}?`}
          verb="Delete"
          run={() => deleteLimit(deleting.kind, deleting.row.key, deleting.row.version)}
          refresh={[[deleting.kind], ['limits']]}
          onClose={() => {
            setDeleting(null);
          }}
        >
          Decisions no longer keep to it from then on.
        </Confirm>
      )}
    </>
  );
}

function Spent({ budget, standing }: { readonly budget: Budget; readonly standing: { readonly spent: number; readonly price: number } | undefined }) {
  const unit = budget.unit === 'money' ? '' : ' contacts';
  const price = standing !== undefined && standing.price > 0 ? `, price ${standing.price.toPrecision(3)}` : '';
  return (
    <>
      {count(standing?.spent ?? 0)} of {count(budget.limit)}
      {unit} spent{price}
    </>
  );
}
