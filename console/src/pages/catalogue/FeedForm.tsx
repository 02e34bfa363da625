import { Button, Group, NativeSelect, NumberInput, Stack, Switch, Table, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { saveFeed, tryFeed, type Feed, type FeedTrial } from '../../api/catalogue';
import { asProblem, Problem } from '../../api/problem';
import { count, fixed, noFigure } from '../../format/number';
import { messageAt, unplaced } from '../../parts/findings';
import { Rows, type Column } from '../../parts/List';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { Tag } from '../../parts/Tag';
import { keyOf } from '../experiments/draft';
import { bodyOf, draftOf, fields, formats, gones, headersOf, type FeedDraft } from './feedDraft';
import { Rejects } from './FeedRunsPanel';
import { pauseWords, standingWords, stockWords } from './words';

const formatWords = { csv: 'CSV', ndjson: 'NDJSON', json: 'JSON', xml: 'Google Merchant XML' } as const;
const goneWords = { 'sold-out': 'are sold out', delete: 'leave the catalogue', keep: 'stay as they are' } as const;
const placed = ['name', 'key', 'url', 'format', 'headers', 'everyMinutes', 'gone', 'expireHours', ...fields.map((field) => `fields.${field}`)];

const figure = (value: string | number): number => (typeof value === 'number' ? value : Number(value) || 0);

/** The definition of a feed: tried as it stands, and saved. */
export function FeedForm({ feed }: { readonly feed?: Feed }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [draft, setDraft] = useState<FeedDraft>(() => draftOf(feed));
  const set = (change: Partial<FeedDraft>) => {
    setDraft((was) => ({ ...was, ...change }));
  };
  const key = feed?.key ?? keyOf(draft.name);
  const read = headersOf(draft.headers);
  const body = bodyOf(draft, 'headers' in read ? read.headers : {});
  const trial = useMutation({ mutationFn: () => tryFeed(body) });
  const save = useMutation({
    mutationFn: () => saveFeed(key, feed?.version ?? null, body),
    onSuccess: async () => {
      await Promise.all([['feeds'], ['recommenders']].map((queryKey) => queries.invalidateQueries({ queryKey })));
      if (feed === undefined) void navigate(`/catalogue/feeds/${encodeURIComponent(key)}`, { replace: true });
    },
  });
  const failed = save.isError ? save.error : trial.isError ? trial.error : null;
  const problem = failed === null ? null : asProblem(failed);
  const findings = problem?.findings ?? [];
  const rest = unplaced(findings, placed);
  const wrong = (field: string) => messageAt(findings, field) || null;
  return (
    <div className="q-stack">
      <Panel title="Definition">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            save.mutate();
          }}
        >
          <Stack gap="sm">
            {problem !== null && (findings.length === 0 || rest.length > 0) && <ProblemPanel error={new Problem(problem.status, problem.title, problem.detail, rest)} />}
            <Group grow align="start" preventGrowOverflow={false} wrap="wrap">
              <TextInput
                label="Name"
                description={key === '' ? 'Its key is made from it' : `Its key is ${key}`}
                value={draft.name}
                error={[wrong('name'), wrong('key')].filter(Boolean).join('; ') || null}
                onChange={(event) => { set({ name: event.currentTarget.value }); }}
              />
              <NativeSelect
                label="Format"
                description="As the server sends it"
                data={formats.map((value) => ({ value, label: formatWords[value] }))}
                value={draft.format}
                error={wrong('format')}
                onChange={(event) => { set({ format: formats.find((one) => one === event.currentTarget.value) ?? 'csv' }); }}
              />
            </Group>
            <TextInput label="Address" placeholder="https://shop.example/products.csv" value={draft.url} error={wrong('url')} onChange={(event) => { set({ url: event.currentTarget.value }); }} />
            <Textarea
              label="Headers"
              description="One a line, such as Authorization: Bearer …; sent with the request, to the feed's own server only"
              autosize
              minRows={1}
              maxRows={6}
              spellCheck={false}
              styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.78125rem' } }}
              value={draft.headers}
              error={'wrong' in read ? read.wrong : wrong('headers')}
              onChange={(event) => { set({ headers: event.currentTarget.value }); }}
            />
            <Group grow align="start" preventGrowOverflow={false} wrap="wrap">
              <NumberInput label="Minutes between runs" description={pauseWords(draft.everyMinutes)} min={1} max={10080} value={draft.everyMinutes} error={wrong('everyMinutes')} onChange={(value) => { set({ everyMinutes: figure(value) }); }} />
              <NumberInput label="Hours until items expire" description={draft.expireHours === 0 ? 'never' : 'without a run that succeeded'} min={0} max={8760} value={draft.expireHours} error={wrong('expireHours')} onChange={(value) => { set({ expireHours: figure(value) }); }} />
              <NativeSelect
                label="Items that it has not any more"
                description="Unless more than half are gone"
                data={gones.map((value) => ({ value, label: goneWords[value] }))}
                value={draft.gone}
                error={wrong('gone')}
                onChange={(event) => { set({ gone: gones.find((one) => one === event.currentTarget.value) ?? 'sold-out' }); }}
              />
            </Group>
            <fieldset style={{ border: 0, margin: 0, padding: 0 }}>
              <legend style={{ padding: 0, fontWeight: 500 }}>Columns</legend>
              <p className="q-muted" style={{ margin: '2px 0 8px' }}>
                Empty ones are found by their usual names. Columns that are none of these become attributes.
              </p>
              <div className="q-feed-fields">
                {fields.map((field) => (
                  <TextInput
                    key={field}
                    size="xs"
                    label={field}
                    placeholder="by its name"
                    value={draft.fields[field] ?? ''}
                    error={wrong(`fields.${field}`)}
                    onChange={(event) => { set({ fields: { ...draft.fields, [field]: event.currentTarget.value } }); }}
                  />
                ))}
              </div>
            </fieldset>
            <Switch label="Paused: read only when asked to" checked={draft.paused} onChange={(event) => { set({ paused: event.currentTarget.checked }); }} />
            <Group justify="flex-end" gap="xs">
              <Button variant="default" loading={trial.isPending} disabled={draft.url.trim() === '' || 'wrong' in read} onClick={() => { save.reset(); trial.mutate(); }}>
                Test
              </Button>
              <Button type="submit" loading={save.isPending} disabled={key === '' || draft.url.trim() === '' || 'wrong' in read}>
                {feed === undefined ? 'Save and read it' : 'Save'}
              </Button>
            </Group>
          </Stack>
        </form>
      </Panel>
      {trial.data !== undefined && <Trial trial={trial.data} />}
    </div>
  );
}

const columnColumns: readonly Column[] = [{ label: 'Column' }, { label: 'Becomes' }, { label: 'Rows', number: true }];
const itemColumns: readonly Column[] = [{ label: 'Item' }, { label: 'Category' }, { label: 'Price', number: true }, { label: 'Margin', number: true }, { label: 'Stock', number: true }, { label: 'Standing' }];

/** What a feed would bring. */
function Trial({ trial }: { readonly trial: FeedTrial }) {
  const read = trial.error !== undefined && trial.error !== '' ? trial.error : trial.whole ? 'It was read to its end.' : 'Only its beginning was read.';
  return (
    <>
      <Panel
        title="What it would bring"
        note={`${count(trial.rows)} rows, ${count(trial.taken)} would be taken, ${count(trial.rejected)} not, in ${fixed(trial.seconds, 2)} s. ${read} Nothing was written.`}
        flush
      >
        {trial.items.length > 0 && (
          <Rows columns={itemColumns} minWidth={620}>
            {trial.items.map(({ key, item, margin, standing }) => (
              <Table.Tr key={key}>
                <Table.Td>
                  <span className="q-list-title">{item.name}</span>
                  <span className="q-list-note q-mono">{key}</span>
                </Table.Td>
                <Table.Td>{item.category ?? <span className="q-faint">none</span>}</Table.Td>
                <Table.Td className="q-number">{item.price === undefined ? noFigure : fixed(item.price, 2)}</Table.Td>
                <Table.Td className="q-number">{fixed(margin, 2)}</Table.Td>
                <Table.Td className="q-number">{stockWords(item.stock)}</Table.Td>
                <Table.Td>
                  <Tag tone={standingWords[standing].tone}>{standingWords[standing].word}</Tag>
                </Table.Td>
              </Table.Tr>
            ))}
          </Rows>
        )}
      </Panel>
      {trial.rejects.length > 0 && (
        <Panel title="Rows that would not be taken" flush>
          <Rejects rejects={trial.rejects} />
        </Panel>
      )}
      {trial.columns.length > 0 && (
        <Panel title="Its columns" flush>
          <Rows columns={columnColumns} minWidth={320}>
            {trial.columns.map(({ name, field, rows }) => (
              <Table.Tr key={name}>
                <Table.Td className="q-mono">{name}</Table.Td>
                <Table.Td>{field ?? <span className="q-muted">an attribute</span>}</Table.Td>
                <Table.Td className="q-number">{count(rows)}</Table.Td>
              </Table.Tr>
            ))}
          </Rows>
        </Panel>
      )}
    </>
  );
}
