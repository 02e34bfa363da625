import { Button, Group, Modal, NativeSelect, NumberInput, Stack, Switch, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { saveLimit, type LimitDraft } from '../../api/limits';
import { asProblem, Problem } from '../../api/problem';
import type { Budget, Cap, QuietHours } from '../../api/types';
import { messageAt, unplaced } from '../../parts/findings';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { keyOf } from '../experiments/draft';
import { listOf } from './words';

export type Editing = { readonly kind: 'caps'; readonly row?: Cap } | { readonly kind: 'quiet-hours'; readonly row?: QuietHours } | { readonly kind: 'budgets'; readonly row?: Budget };

const titles = { caps: 'cap', 'quiet-hours': 'quiet hours', budgets: 'budget' } as const;

const choice = <T extends string>(text: string, all: readonly T[], other: T): T => all.find((one) => one === text) ?? other;

/** A cap, quiet hours or a budget, new or changed. */
export function LimitForm({ editing, onClose }: { readonly editing: Editing; readonly onClose: () => void }) {
  const queries = useQueryClient();
  const { row } = editing;
  const [name, setName] = useState(row?.name ?? '');
  const [text, setText] = useState<Record<string, string>>(() => start(editing));
  const [on, setOn] = useState(editing.kind === 'budgets' ? (editing.row?.paced ?? false) : editing.kind === 'quiet-hours' ? (editing.row?.service ?? false) : false);
  const key = row?.key ?? keyOf(name);
  const at = (field: string) => text[field] ?? '';
  const set = (field: string) => (value: string | number) => {
    setText((was) => ({ ...was, [field]: String(value) }));
  };
  const save = useMutation({
    mutationFn: () => saveLimit(key, draftOf(editing.kind, name.trim(), at, on), row?.version ?? null),
    onSuccess: async () => {
      await Promise.all([[editing.kind], ['limits']].map((queryKey) => queries.invalidateQueries({ queryKey })));
      onClose();
    },
  });
  const problem = save.isError ? asProblem(save.error) : null;
  const findings = problem?.findings ?? [];
  const fields = ['name', 'key', ...Object.keys(text)];
  const rest = unplaced(findings, fields);
  const line = (field: string, label: string, description?: string) => (
    <TextInput
      label={label}
      description={description}
      value={at(field)}
      error={messageAt(findings, field) || null}
      onChange={(event) => {
        set(field)(event.currentTarget.value);
      }}
    />
  );
  const select = (field: string, label: string, data: readonly { value: string; label: string }[]) => (
    <NativeSelect
      label={label}
      data={[...data]}
      value={at(field)}
      error={messageAt(findings, field) || null}
      onChange={(event) => {
        set(field)(event.currentTarget.value);
      }}
    />
  );
  const figure = (field: string, label: string, min: number) => <NumberInput label={label} min={min} value={at(field) === '' ? '' : Number(at(field))} error={messageAt(findings, field) || null} onChange={set(field)} />;
  return (
    <Modal opened onClose={onClose} title={row === undefined ? `New ${titles[editing.kind]}` : `Change ${row.name ?? row.key}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack gap="sm">
          {problem !== null && (findings.length === 0 || rest.length > 0) && <ProblemPanel error={new Problem(problem.status, problem.title, problem.detail, rest)} />}
          <TextInput
            label="Name"
            description={key === '' ? undefined : `Its key is ${key}`}
            data-autofocus
            value={name}
            error={[messageAt(findings, 'name'), messageAt(findings, 'key')].filter(Boolean).join('; ') || null}
            onChange={(event) => {
              setName(event.currentTarget.value);
            }}
          />
          {editing.kind === 'caps' && (
            <>
              {figure('limit', 'Most contacts of a person', 1)}
              {select('calendar', 'In', [{ value: '', label: 'any stretch of hours' }, { value: 'day', label: 'a day by the calendar' }, { value: 'week', label: 'a week by the calendar' }, { value: 'month', label: 'a month by the calendar' }])}
              {at('calendar') === '' && figure('hours', 'Hours', 1)}
              {select('class', 'Counts', [{ value: 'advertising', label: 'advertising' }, { value: 'service', label: 'service messages' }, { value: 'all', label: 'both' }])}
              {line('tags', 'Tags of offers', 'With commas between; all offers when empty')}
              {at('class') !== 'service' && select('place', 'Who has a place', [{ value: 'first', label: 'who comes first' }, { value: 'better', label: 'who is worth more' }])}
              {at('class') !== 'service' && at('place') === 'better' && figure('arbitration.windowMinutes', 'Minutes that messages wait for a better one', 0)}
            </>
          )}
          {editing.kind === 'quiet-hours' && (
            <>
              <Group grow align="start">
                {line('from', 'From')}
                {line('to', 'To')}
              </Group>
              {line('timeZone', 'Time zone of people without one', 'Such as Europe/Berlin')}
              {line('days', 'Days on which they begin', 'Such as saturday, sunday; all when empty')}
              {line('countries', 'Countries', 'Two letters each; everywhere when empty')}
              {select('action', 'Contacts', [{ value: 'hold', label: 'wait for the end' }, { value: 'drop', label: 'use another channel' }])}
            </>
          )}
          {editing.kind === 'budgets' && (
            <>
              {select('unit', 'Counts', [{ value: 'contacts', label: 'contacts' }, { value: 'money', label: 'money' }])}
              {figure('limit', 'Most that is spent', 0)}
              {line('startsAt', 'Starts', 'As 2027-03-01T00:00:00Z')}
              {line('endsAt', 'Ends', 'Never when empty')}
              {line('offers', 'Offers that spend it', 'With commas between; all when empty')}
            </>
          )}
          {line('channels', 'Channels', editing.kind === 'quiet-hours' ? 'With commas between; all that send when empty' : 'With commas between; all when empty')}
          {editing.kind !== 'caps' && (
            <Switch
              label={editing.kind === 'budgets' ? 'Make it last until it ends' : 'Service messages keep to them too'}
              checked={on}
              onChange={(event) => {
                setOn(event.currentTarget.checked);
              }}
            />
          )}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={key === ''}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

const joined = (list: readonly string[] | null | undefined) => (list ?? []).join(', ');

function start(editing: Editing): Record<string, string> {
  switch (editing.kind) {
    case 'caps': {
      const { row } = editing;
      return { limit: (row?.limit ?? 3).toString(), calendar: row?.calendar ?? '', hours: (row?.hours ?? 168).toString(), class: row?.class ?? 'advertising', tags: joined(row?.tags), channels: joined(row?.channels), place: row?.arbitration == null ? 'first' : 'better', 'arbitration.windowMinutes': (row?.arbitration?.windowMinutes ?? 120).toString() };
    }
    case 'quiet-hours': {
      const { row } = editing;
      return { from: row?.from ?? '21:00', to: row?.to ?? '09:00', timeZone: row?.timeZone ?? 'UTC', days: joined(row?.days), countries: joined(row?.countries), action: row?.action ?? 'hold', channels: joined(row?.channels) };
    }
    case 'budgets': {
      const { row } = editing;
      return { unit: row?.unit ?? 'contacts', limit: (row?.limit ?? 1000).toString(), startsAt: row?.startsAt ?? new Date().toISOString(), endsAt: row?.endsAt ?? '', offers: joined(row?.offers), channels: joined(row?.channels) };
    }
  }
}

function draftOf(kind: Editing['kind'], name: string, at: (field: string) => string, on: boolean): LimitDraft {
  const named = name === '' ? {} : { name };
  const channels = listOf(at('channels'));
  switch (kind) {
    case 'caps': {
      const calendar = at('calendar');
      const window = calendar === '' ? { hours: Number(at('hours')) } : { calendar: choice(calendar, ['day', 'week', 'month'], 'day') };
      const arbitration = at('place') === 'better' && at('class') !== 'service' ? { arbitration: { windowMinutes: Number(at('arbitration.windowMinutes')) } } : {};
      return { kind, body: { ...named, ...window, ...arbitration, limit: Number(at('limit')), class: choice(at('class'), ['advertising', 'service', 'all'], 'advertising'), tags: listOf(at('tags')), channels } };
    }
    case 'quiet-hours':
      return {
        kind,
        body: { ...named, from: at('from'), to: at('to'), timeZone: at('timeZone'), days: listOf(at('days').toLowerCase()), countries: listOf(at('countries')), action: choice(at('action'), ['hold', 'drop'], 'hold'), service: on, channels },
      };
    case 'budgets': {
      const ends = at('endsAt').trim();
      return { kind, body: { ...named, unit: choice(at('unit'), ['contacts', 'money'], 'contacts'), limit: Number(at('limit')), startsAt: at('startsAt').trim(), ...(ends === '' ? {} : { endsAt: ends }), offers: listOf(at('offers')), channels, paced: on } };
    }
  }
}
