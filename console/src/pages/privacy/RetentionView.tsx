import { Group, Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconClockOff, IconHistory, IconPlayerPlay, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { deleteRetention, retentionPlanQuery, retentionQuery, retentionRunsQuery, runRetention } from '../../api/privacy';
import type { RetentionEffect, RetentionRule, RetentionRun } from '../../api/types';
import { count } from '../../format/number';
import { duration } from '../../format/time';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { RuleForm } from './RuleForm';
import { daysWords, effectOf, removalWords, ruleTarget } from './words';

const columns: readonly Column[] = [
  { label: 'What' },
  { label: 'Is kept for', number: true },
  { label: 'After that' },
  { label: 'Due now', number: true },
  { label: 'Why' },
  { label: 'Actions', silent: true },
];
const runColumns: readonly Column[] = [{ label: 'Run' }, { label: 'By' }, { label: 'Took', number: true }, { label: 'Removed' }];
const refresh = [['retention'], ['retention-plan'], ['retention-runs']];

/** How long things are kept, what is due, and what was removed. */
export function RetentionView() {
  const plan = useQuery(retentionPlanQuery);
  const [editing, setEditing] = useState<RetentionRule | 'new' | null>(null);
  const [deleting, setDeleting] = useState<RetentionRule | null>(null);
  const [running, setRunning] = useState(false);
  const due = (plan.data?.items ?? []).filter(({ paused, rows }) => paused !== true && rows > 0);
  const rows = due.reduce((sum, effect) => sum + effect.rows, 0);
  return (
    <div className="q-stack">
      <Panel
        title="Retention rules"
        note="Applied once a day after 02:00 UTC. Without a rule everything is kept. A paused rule is counted and not applied, so that it can be tried first."
        flush
        actions={
          <>
            <ActionButton
              needs="admin"
              variant="default"
              leftSection={<IconPlayerPlay size={14} />}
              blocked={rows === 0 ? 'Nothing is due now.' : ''}
              onClick={() => {
                setRunning(true);
              }}
            >
              Apply now
            </ActionButton>
            <ActionButton
              needs="admin"
              leftSection={<IconPlus size={14} />}
              onClick={() => {
                setEditing('new');
              }}
            >
              New rule
            </ActionButton>
          </>
        }
      >
        <List
          page={retentionQuery}
          columns={columns}
          minWidth={780}
          rows={3}
          empty={{ icon: <IconClockOff size={20} />, title: 'Everything is kept', text: 'Make a rule for one event, for all others, or for decisions. Begin with a paused one and look at what it would remove.' }}
        >
          {(rules) => rules.map((rule) => <RuleRow key={rule.key} rule={rule} effect={effectOf(plan.data?.items, rule.key)} onEdit={setEditing} onDelete={setDeleting} />)}
        </List>
      </Panel>
      <Panel title="What was removed" flush>
        <List page={retentionRunsQuery} columns={runColumns} rows={3} empty={{ icon: <IconHistory size={20} />, title: 'Nothing was removed yet' }}>
          {(runs) => runs.map((run) => <RunRow key={run.id} run={run} />)}
        </List>
      </Panel>
      {editing !== null && (
        <RuleForm
          {...(editing === 'new' ? {} : { rule: editing })}
          onClose={() => {
            setEditing(null);
          }}
        />
      )}
      {deleting !== null && (
        <Confirm
          title={`Delete the rule for ${ruleTarget(deleting)}?`}
          verb="Delete"
          run={() => deleteRetention(deleting.key, deleting.version)}
          refresh={refresh}
          onClose={() => {
            setDeleting(null);
          }}
        >
          What it is about is kept from then on, unless another rule says otherwise. What was removed does not come back.
        </Confirm>
      )}
      {running && (
        <Confirm
          title="Remove what is due?"
          verb="Remove now"
          run={runRetention}
          refresh={refresh}
          onClose={() => {
            setRunning(false);
          }}
        >
          {count(rows)} rows go or lose their details, by {due.length} {due.length === 1 ? 'rule' : 'rules'}. Nothing brings them back; reports whose time reaches into them have lower figures.
        </Confirm>
      )}
    </div>
  );
}

interface RuleRowProps {
  readonly rule: RetentionRule;
  readonly effect: RetentionEffect | undefined;
  readonly onEdit: (rule: RetentionRule) => void;
  readonly onDelete: (rule: RetentionRule) => void;
}

function RuleRow({ rule, effect, onEdit, onDelete }: RuleRowProps) {
  return (
    <Table.Tr>
      <Table.Td>
        <span className="q-list-title">
          {ruleTarget(rule)} {rule.paused === true && <Tag tone="warning">paused</Tag>}
        </span>
        <span className="q-list-note q-mono">{rule.key}</span>
      </Table.Td>
      <Table.Td className="q-number">{daysWords(rule.days)}</Table.Td>
      <Table.Td>{removalWords(rule.remove)}</Table.Td>
      <Table.Td className="q-number">
        {effect === undefined ? <span className="q-faint">–</span> : count(effect.rows)}
        {effect !== undefined && (
          <span className="q-list-note">
            before <Moment at={effect.before} />
          </span>
        )}
      </Table.Td>
      <Table.Td style={{ maxWidth: 220 }}>{rule.reason === undefined || rule.reason === '' ? <span className="q-faint">not said</span> : rule.reason}</Table.Td>
      <Table.Td ta="right">
        <Group gap={6} justify="flex-end" wrap="nowrap">
          <ActionButton
            needs="admin"
            size="compact-xs"
            variant="default"
            onClick={() => {
              onEdit(rule);
            }}
          >
            Edit<span className="q-hidden-label"> {rule.key}</span>
          </ActionButton>
          <ActionButton
            needs="admin"
            size="compact-xs"
            variant="default"
            onClick={() => {
              onDelete(rule);
            }}
          >
            Delete<span className="q-hidden-label"> {rule.key}</span>
          </ActionButton>
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

function RunRow({ run }: { readonly run: RetentionRun }) {
  const removed = run.results.filter(({ rows }) => rows > 0);
  return (
    <Table.Tr>
      <Table.Td className="q-list-plain">
        <Moment at={run.startedAt} />
      </Table.Td>
      <Table.Td>{run.startedBy}</Table.Td>
      <Table.Td className="q-number">{duration((Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1000)}</Table.Td>
      <Table.Td>
        {removed.length === 0 && <span className="q-muted">nothing was due</span>}
        {removed.map((effect) => (
          <div key={effect.key}>
            {count(effect.rows)} rows of {ruleTarget({ of: effect.of, ...(effect.event === undefined ? {} : { event: effect.event }) }).toLowerCase()}
            {effect.remove === 'details' && ' lost their details'}
          </div>
        ))}
        {run.error !== undefined && run.error !== '' && <Tag tone="worse">{run.error}</Tag>}
      </Table.Td>
    </Table.Tr>
  );
}
