import { Button, Checkbox, NativeSelect, Table, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { IconArchive } from '@tabler/icons-react';
import { useState } from 'react';
import { useSearchParams } from 'react-router';
import { quarantineQuery, sourcesQuery, type Selection } from '../../api/quality';
import type { Quarantined, QuarantineFilter } from '../../api/types';
import { ActionButton } from '../../parts/ActionButton';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { QuarantinedDrawer } from './QuarantinedDrawer';
import { SettleDialog } from './SettleDialog';
import { causes, sourceTitle, statusTones } from './words';

const columns: readonly Column[] = [
  { label: 'Chosen', silent: true },
  { label: 'Refused' },
  { label: 'Source' },
  { label: 'Cause' },
  { label: 'Rule that it breaks' },
  { label: 'Status' },
  { label: 'Actions', silent: true },
];
const statuses = ['open', 'replaying', 'replayed', 'discarded'] as const;

/** What was refused: why, and the means to take it in after all or to settle it. */
export function QuarantineView() {
  const [parameters, setParameters] = useSearchParams();
  const source = parameters.get('source') ?? '';
  const [status, setStatus] = useState<QuarantineFilter['status'] | ''>('open');
  const [cause, setCause] = useState<QuarantineFilter['cause'] | ''>('');
  const [field, setField] = useState('');
  const [settledField] = useDebouncedValue(field.trim(), 300);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [opened, setOpened] = useState<string | null>(null);
  const [settling, setSettling] = useState<{ readonly how: 'replay' | 'discard'; readonly what: Selection; readonly words: string } | null>(null);
  const sources = useQuery(sourcesQuery);
  const filter: QuarantineFilter = {
    ...(source === '' ? {} : { source }),
    ...(status === '' || status === undefined ? {} : { status }),
    ...(cause === '' || cause === undefined ? {} : { cause }),
    ...(settledField === '' ? {} : { field: settledField }),
  };
  const narrowed = source !== '' || cause !== '' || settledField !== '' || status !== 'open';
  const ask = (how: 'replay' | 'discard') => {
    const ids = [...chosen];
    const what: Selection = ids.length > 0 ? { ids } : { filter: { ...filter, status: 'open' } };
    setSettling({ how, what, words: ids.length > 0 ? `${ids.length.toString()} chosen` : 'all open ones that the filter finds' });
  };
  return (
    <Panel
      title="Quarantine"
      note="Messages that broke a rule or their schema, kept for 30 days. Correct them and take them in: each counts once, as of when it came."
      flush
    >
      <div className="q-filters" role="search" aria-label="Filter of the quarantine">
        <NativeSelect
          size="xs"
          label="Status"
          data={[{ value: '', label: 'all' }, ...statuses]}
          value={status ?? ''}
          onChange={(event) => {
            setStatus(statuses.find((each) => each === event.currentTarget.value) ?? '');
            setChosen(new Set());
          }}
        />
        <NativeSelect
          size="xs"
          label="Source"
          maw={220}
          data={[{ value: '', label: 'all' }, ...(sources.data?.items ?? []).map((each) => ({ value: each.id, label: sourceTitle(each) })), ...(known(sources.data?.items, source) ? [] : [source])]}
          value={source}
          onChange={(event) => {
            setParameters(event.currentTarget.value === '' ? {} : { source: event.currentTarget.value }, { replace: true });
            setChosen(new Set());
          }}
        />
        <NativeSelect
          size="xs"
          label="Cause"
          data={[{ value: '', label: 'all' }, ...Object.entries(causes).map(([value, { label }]) => ({ value, label }))]}
          value={cause ?? ''}
          onChange={(event) => {
            const { value } = event.currentTarget;
            setCause(value in causes ? (value as Quarantined['cause']) : '');
          }}
        />
        <TextInput
          size="xs"
          label="Field"
          placeholder="event"
          value={field}
          onChange={(event) => {
            setField(event.currentTarget.value);
          }}
        />
        <div className="q-filters-end">
          <ActionButton
            needs="define"
            variant="default"
            onClick={() => {
              ask('discard');
            }}
          >
            {chosen.size > 0 ? `Discard ${chosen.size.toString()} chosen` : 'Discard all found'}
          </ActionButton>
          <ActionButton
            needs="define"
            onClick={() => {
              ask('replay');
            }}
          >
            {chosen.size > 0 ? `Take ${chosen.size.toString()} chosen in` : 'Take all found in'}
          </ActionButton>
        </div>
      </div>
      <List
        key={JSON.stringify(filter)}
        page={(before) => quarantineQuery(filter, before)}
        columns={columns}
        minWidth={820}
        empty={{
          icon: <IconArchive size={20} />,
          title: narrowed ? 'Nothing fits the filter' : 'Nothing is in quarantine',
          text: narrowed ? undefined : 'Messages that break a rule come here, with the rule and what was sent.',
        }}
      >
        {(items) =>
          items.map((item) => (
            <Table.Tr key={item.id}>
              <Table.Td>
                {item.status === 'open' && (
                  <Checkbox
                    size="xs"
                    aria-label={`Choose the message ${item.id}`}
                    checked={chosen.has(item.id)}
                    onChange={(event) => {
                      const next = new Set(chosen);
                      if (event.currentTarget.checked) next.add(item.id);
                      else next.delete(item.id);
                      setChosen(next);
                    }}
                  />
                )}
              </Table.Td>
              <Table.Td className="q-list-plain">
                <Moment at={item.receivedAt} />
              </Table.Td>
              <Table.Td>{sourceTitle({ id: item.source, ...(item.sourceName === undefined ? {} : { name: item.sourceName }) })}</Table.Td>
              <Table.Td>
                <span title={causes[item.cause].meaning}>{causes[item.cause].label}</span>
              </Table.Td>
              <Table.Td style={{ maxWidth: 420 }}>
                {item.field !== '' && <code className="q-mono">{item.field}</code>} {item.rule}
                {item.errors.length > 1 && <span className="q-list-note">and {item.errors.length - 1} more</span>}
              </Table.Td>
              <Table.Td>
                <Tag tone={statusTones[item.status]}>{item.status}</Tag>
                {item.attempts > 0 && item.status === 'open' && (
                  <span className="q-list-note">
                    tried {item.attempts} {item.attempts === 1 ? 'time' : 'times'} in vain
                  </span>
                )}
              </Table.Td>
              <Table.Td ta="right">
                <Button
                  size="compact-xs"
                  variant="default"
                  onClick={() => {
                    setOpened(item.id);
                  }}
                >
                  Open<span className="q-hidden-label"> {item.id}</span>
                </Button>
              </Table.Td>
            </Table.Tr>
          ))
        }
      </List>
      {opened !== null && (
        <QuarantinedDrawer
          id={opened}
          onClose={() => {
            setOpened(null);
          }}
        />
      )}
      {settling !== null && (
        <SettleDialog
          how={settling.how}
          what={settling.what}
          words={settling.words}
          onClose={() => {
            setSettling(null);
            setChosen(new Set());
          }}
        />
      )}
    </Panel>
  );
}

function known(sources: readonly { readonly id: string }[] | undefined, source: string): boolean {
  return source === '' || (sources ?? []).some(({ id }) => id === source);
}
