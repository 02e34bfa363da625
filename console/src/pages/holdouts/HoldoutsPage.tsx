import { Button, Group, Modal, NumberInput, Stack, Switch, Table, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconHandStop, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { deleteHoldout, holdoutsQuery, saveHoldout } from '../../api/holdouts';
import { asProblem, Problem } from '../../api/problem';
import type { HoldoutRow } from '../../api/types';
import { percent } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { messageAt, unplaced } from '../../parts/findings';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { keyOf } from '../experiments/draft';
import { FindPanel } from './FindPanel';
import { ProgrammePanel } from './ProgrammePanel';
import { reportKeys } from './words';
import './holdouts.css';

const columns: readonly Column[] = [{ label: 'Holdout' }, { label: 'Who is where' }, { label: 'Held out', number: true }, { label: 'Reports' }, { label: 'Changed' }, { label: 'Actions', silent: true }];

/** Who is left out, so that it is known what everything together brings. */
export function HoldoutsPage() {
  const [editing, setEditing] = useState<HoldoutRow | 'new' | null>(null);
  const [deleting, setDeleting] = useState<HoldoutRow | null>(null);
  return (
    <>
      <PageHeader
        title="Holdouts"
        note="A fixed random share of people who get none of it, and a comparison arm of the same size who get what has shipped. Service messages reach everybody."
        actions={
          <ActionButton
            needs="define"
            leftSection={<IconPlus size={14} />}
            onClick={() => {
              setEditing('new');
            }}
          >
            New holdout
          </ActionButton>
        }
      />
      <div className="q-stack">
        <Panel flush>
          <List page={holdoutsQuery} columns={columns} minWidth={760} rows={3} empty={{ icon: <IconHandStop size={20} />, title: 'Nobody is held out', text: 'Without a holdout nobody knows what all advertising together brings.' }}>
            {(holdouts) => holdouts.map((holdout) => <Row key={holdout.key} holdout={holdout} onEdit={setEditing} onDelete={setDeleting} />)}
          </List>
        </Panel>
        <ProgrammePanel />
        <FindPanel />
      </div>
      {editing !== null && (
        <HoldoutForm
          {...(editing === 'new' ? {} : { holdout: editing })}
          onClose={() => {
            setEditing(null);
          }}
        />
      )}
      {deleting !== null && (
        <Confirm
          title={`Delete ${deleting.name ?? deleting.key}?`}
          verb="Delete"
          run={() => deleteHoldout(deleting.key, deleting.version)}
          refresh={[['holdouts'], ['holdout']]}
          onClose={() => {
            setDeleting(null);
          }}
        >
          Its people get everything from then on. What was measured stays; a holdout of the same key and salt finds the same people again.
        </Confirm>
      )}
    </>
  );
}

interface RowProps {
  readonly holdout: HoldoutRow;
  readonly onEdit: (holdout: HoldoutRow) => void;
  readonly onDelete: (holdout: HoldoutRow) => void;
}

function Row({ holdout, onEdit, onDelete }: RowProps) {
  const reports = reportKeys(holdout.key);
  const compared = holdout.ranges?.comparison !== undefined;
  return (
    <Table.Tr>
      <Table.Td>
        <span className="q-list-title">{holdout.name ?? (holdout.key === 'universal' ? 'Universal holdout' : holdout.key)}</span>
        <span className="q-list-note q-mono">{holdout.key}</span>
      </Table.Td>
      <Table.Td>
        <Sides share={holdout.share} compared={compared} />
      </Table.Td>
      <Table.Td className="q-number">{percent(holdout.share)}</Table.Td>
      <Table.Td className="q-list-plain">
        <Link className="q-link" to={`/experiments/${encodeURIComponent(reports.all)}`}>
          against everybody
        </Link>
        {compared && (
          <>
            <br />
            <Link className="q-link" to={`/experiments/${encodeURIComponent(reports.comparison)}`}>
              against the comparison arm
            </Link>
          </>
        )}
      </Table.Td>
      <Table.Td className="q-list-plain">
        <Moment at={holdout.updatedAt} />
      </Table.Td>
      <Table.Td ta="right">
        <Group gap={6} justify="flex-end" wrap="nowrap">
          <ActionButton
            needs="define"
            size="compact-xs"
            variant="default"
            onClick={() => {
              onEdit(holdout);
            }}
          >
            Change<span className="q-hidden-label"> {holdout.key}</span>
          </ActionButton>
          {holdout.key !== 'universal' && (
            <ActionButton
              needs="define"
              size="compact-xs"
              variant="default"
              onClick={() => {
                onDelete(holdout);
              }}
            >
              Delete<span className="q-hidden-label"> {holdout.key}</span>
            </ActionButton>
          )}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

/** The line of all people: held out from the left, compared from the right. */
function Sides({ share, compared }: { readonly share: number; readonly compared: boolean }) {
  const text = compared ? `${percent(share)} held out, ${percent(1 - 2 * share)} as usual, ${percent(share)} in the comparison arm` : `${percent(share)} held out, ${percent(1 - share)} as usual`;
  return (
    <span className="q-sides" role="img" aria-label={text} title={text}>
      <span className="q-sides-held" style={{ width: `${(share * 100).toFixed(2)}%` }} />
      <span className="q-sides-usual" />
      {compared && <span className="q-sides-compared" style={{ width: `${(share * 100).toFixed(2)}%` }} />}
    </span>
  );
}

function HoldoutForm({ holdout, onClose }: { readonly holdout?: HoldoutRow; readonly onClose: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState(holdout?.name ?? '');
  const [share, setShare] = useState<number | string>(Number(((holdout?.share ?? 0.05) * 100).toFixed(4)));
  const [comparison, setComparison] = useState(holdout === undefined ? true : holdout.ranges?.comparison !== undefined);
  const key = holdout?.key ?? keyOf(name);
  const save = useMutation({
    mutationFn: () =>
      saveHoldout(key, { share: Number((Number(share) / 100).toFixed(8)), comparison, ...(name.trim() === '' ? {} : { name: name.trim() }), ...(holdout?.salt === undefined ? {} : { salt: holdout.salt }) }, holdout?.version ?? null),
    onSuccess: async () => {
      await Promise.all([['holdouts'], ['holdout'], ['overview']].map((queryKey) => queries.invalidateQueries({ queryKey })));
      onClose();
    },
  });
  const problem = save.isError ? asProblem(save.error) : null;
  const findings = problem?.findings ?? [];
  const rest = unplaced(findings, ['share', 'key', 'name']);
  const less = holdout !== undefined && Number(share) / 100 < holdout.share - 1e-9;
  return (
    <Modal opened onClose={onClose} title={holdout === undefined ? 'New holdout' : `Change ${holdout.name ?? holdout.key}`}>
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
            description={key === '' ? 'What it is held out of, such as e-mail' : `Its key is ${key}; experiments and flags name it to respect it`}
            data-autofocus
            value={name}
            error={[messageAt(findings, 'name'), messageAt(findings, 'key')].filter(Boolean).join('; ') || null}
            onChange={(event) => {
              setName(event.currentTarget.value);
            }}
          />
          <NumberInput label="Share of people" suffix=" %" min={0} max={99} step={0.5} decimalScale={2} value={share} error={messageAt(findings, 'share') || null} onChange={setShare} />
          <Switch
            label="A comparison arm of the same size"
            description="Its people get what has shipped and are in no experiment: what is left between the two is what the programme brings"
            checked={comparison}
            onChange={(event) => {
              setComparison(event.currentTarget.checked);
            }}
          />
          {holdout !== undefined && (
            <Text size="sm" c="dimmed">
              {less ? 'Some people leave the holdout and mix with the treated: reports over both periods count them where they were first seen.' : 'Raising the share only adds people; nobody changes sides.'}
            </Text>
          )}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={key === ''}>
              {holdout === undefined ? 'Create holdout' : 'Save holdout'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
