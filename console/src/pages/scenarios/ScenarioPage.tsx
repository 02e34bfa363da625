import { Drawer, Select, Table } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconPencil, IconRoute } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useParams } from 'react-router';
import type { Move } from '../../api/campaigns';
import { moveScenario, saveScenario, scenarioProgressQuery, scenarioQuery, scenarioRunQuery, scenarioRunsQuery, scenarioStateQuery, scenarioVersionsQuery, testScenario } from '../../api/scenarios';
import type { Scenario } from '../../api/types';
import { count } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Figure, Figures } from '../../parts/Figure';
import { List, type Column } from '../../parts/List';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock, SkeletonRows } from '../../parts/Skeletons';
import { MoveButtons } from '../campaigns/MoveButtons';
import { OutboundStatus } from '../campaigns/OutboundStatus';
import { TestPanel } from '../campaigns/TestPanel';
import { VersionsPanel } from '../campaigns/VersionsPanel';
import { outcomeWords } from '../campaigns/words';
import { GraphView } from './GraphView';
import './scenarios.css';

/** One scenario: where its people are, and the way of each of them. */
export function ScenarioPage() {
  const { key = '' } = useParams();
  const query = useQuery(scenarioQuery(key));
  return <Loaded query={query} skeleton={<SkeletonBlock height={640} />}>{({ scenario, etag }) => <Shown scenario={scenario} etag={etag} />}</Loaded>;
}

function Shown({ scenario, etag }: { readonly scenario: Scenario; readonly etag: string }) {
  const { key } = scenario;
  const state = useQuery(scenarioStateQuery(key));
  const versions = useQuery(scenarioVersionsQuery(key));
  const progress = useQuery(scenarioProgressQuery(key));
  const queries = useQueryClient();
  const move = useMutation({
    mutationFn: (to: Move) => moveScenario(key, to),
    onSettled: () => queries.invalidateQueries({ queryKey: ['scenarios'] }),
  });
  const runs = progress.data?.runs ?? {};
  return (
    <>
      <PageHeader
        parent={{ to: '/scenarios', label: 'Scenarios' }}
        title={scenario.name ?? key}
        badges={<OutboundStatus status={state.data?.status} />}
        note={
          <>
            <span className="q-mono">{key}</span> · version {scenario.version} · {scenario.consent.basis}
            {scenario.consent.purpose === undefined ? '' : ` for ${scenario.consent.purpose}`}
          </>
        }
        actions={
          <>
            <ActionButton needs="define" variant="default" to={`/scenarios/${encodeURIComponent(key)}/edit`} leftSection={<IconPencil size={14} />}>
              Edit
            </ActionButton>
            <MoveButtons status={state.data?.status} busy={move.isPending} onMove={move.mutate} />
          </>
        }
      />
      {move.isError && <ProblemPanel error={move.error} />}
      <div className="q-columns">
        <div className="q-stack">
          <Panel title="Where people are">
            <Figures>
              <Figure label="On their way" value={count(runs['active'] ?? 0)} />
              <Figure label="Went to the end" value={count(runs['done'] ?? 0)} />
              <Figure label="Left by an event" value={count(runs['exited'] ?? 0)} />
              <Figure label="Failed" value={count(runs['failed'] ?? 0)} />
            </Figures>
            <GraphView nodes={scenario.nodes ?? []} progress={progress.data} />
          </Panel>
          <RunsPanel scenario={key} />
        </div>
        <div className="q-stack">
          <StepTest scenario={scenario} />
          <VersionsPanel
            versions={versions}
            current={scenario.version}
            note="Newest first. Going back makes a new version for who comes in from then on; who is on their way goes on by theirs."
            save={(body) => saveScenario(key, body, etag)}
            changes={['scenarios']}
          />
        </div>
      </div>
    </>
  );
}

function StepTest({ scenario }: { readonly scenario: Scenario }) {
  const steps = (scenario.nodes ?? []).filter(({ type }) => type === 'decide');
  const [node, setNode] = useState(steps[0]?.id ?? '');
  return (
    <TestPanel send={(person) => testScenario(scenario.key, node, person)}>
      <Select label="Step" allowDeselect={false} data={steps.map(({ id, name }) => ({ value: id, label: name ?? id }))} value={node} onChange={(value) => { setNode(value ?? ''); }} />
    </TestPanel>
  );
}

const columns: readonly Column[] = [{ label: 'Person' }, { label: 'Came in' }, { label: 'State' }, { label: 'Stands at' }, { label: 'Goes on' }];

function RunsPanel({ scenario }: { readonly scenario: string }) {
  const [open, setOpen] = useState('');
  return (
    <Panel title="People" flush>
      <List page={(before) => scenarioRunsQuery(scenario, before)} columns={columns} minWidth={480} empty={{ icon: <IconRoute size={20} />, title: 'Nobody has come in yet' }}>
        {(runs) =>
          runs.map((run) => (
            <Table.Tr key={run.id}>
              <Table.Td>
                <button type="button" className="q-link q-mono" onClick={() => { setOpen(run.id); }}>
                  {run.person.slice(0, 8)}
                </button>
              </Table.Td>
              <Table.Td>
                <Moment at={run.enteredAt} />
              </Table.Td>
              <Table.Td>
                {run.status}
                {run.reason !== undefined && <span className="q-list-note">{run.reason}</span>}
              </Table.Td>
              <Table.Td>{run.node}</Table.Td>
              <Table.Td>
                <Moment at={run.dueAt} />
              </Table.Td>
            </Table.Tr>
          ))
        }
      </List>
      {open !== '' && <Way run={open} onClose={() => { setOpen(''); }} />}
    </Panel>
  );
}

/** One person's way: the cascade as it happened. */
function Way({ run, onClose }: { readonly run: string; readonly onClose: () => void }) {
  const query = useQuery(scenarioRunQuery(run));
  return (
    <Drawer opened onClose={onClose} position="right" title="One person's way">
      <Loaded query={query} skeleton={<SkeletonRows rows={6} />}>
        {(data) => (
          <>
            <p>
              <Link className="q-link" to={`/profiles/${encodeURIComponent(data.person)}`}>
                Profile
              </Link>{' '}
              <span className="q-muted">by version {data.version}</span>
            </p>
            <ol className="q-cascade">
              {(data.steps ?? []).map((step) => (
                <li key={`${step.node} ${step.at} ${step.decisionId ?? ''}`}>
                  <b>{step.node}</b> <Moment at={step.at} as="second" />
                  <div className="q-muted">
                    {outcomeWords[step.outcome] ?? step.outcome}
                    {step.reason === undefined ? '' : ` (${step.reason})`}
                    {step.channel === undefined ? '' : ` by ${step.channel}`}
                    {step.sendAt !== undefined && (
                      <>
                        , for <Moment at={step.sendAt} />
                        {step.handedAt === undefined ? ', waits for delivery' : ''}
                      </>
                    )}{' '}
                    {step.decisionId !== undefined && (
                      <Link className="q-link" to={`/decisions/${encodeURIComponent(step.decisionId)}`}>
                        why
                      </Link>
                    )}
                  </div>
                </li>
              ))}
              <li>
                {data.status === 'active' ? (
                  <>
                    Stands at <b>{data.node}</b>, goes on <Moment at={data.dueAt} />
                  </>
                ) : (
                  <>
                    {data.status} <Moment at={data.endedAt} />
                    {data.reason === undefined ? '' : ` (${data.reason})`}
                  </>
                )}
              </li>
            </ol>
          </>
        )}
      </Loaded>
    </Drawer>
  );
}
