import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconBook, IconPlus, IconRoute } from '@tabler/icons-react';
import { Link } from 'react-router';
import { scenarioProgressQuery, scenariosQuery, scenarioStateQuery } from '../../api/scenarios';
import type { Scenario } from '../../api/types';
import { count } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { List, type Column } from '../../parts/List';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { OutboundStatus } from '../campaigns/OutboundStatus';
import { nodeWords } from './graph';

const columns: readonly Column[] = [{ label: 'Scenario' }, { label: 'Begins with', visibleFrom: 'sm' }, { label: 'State' }, { label: 'On their way', number: true }, { label: 'Came in', number: true }];

/** Ways on which people are led by what happens. */
export function ScenariosPage() {
  return (
    <>
      <PageHeader
        title="Scenarios"
        note="Something happens, then wait, look, decide. Each step is a decision, not a fixed message."
        actions={
          <>
            <ActionButton needs="define" variant="default" to="/scenarios/templates" leftSection={<IconBook size={14} />}>
              Templates
            </ActionButton>
            <ActionButton needs="define" to="/scenarios/new" leftSection={<IconPlus size={14} />}>
              New scenario
            </ActionButton>
          </>
        }
      />
      <Panel flush>
        <List page={scenariosQuery} columns={columns} minWidth={480} empty={{ icon: <IconRoute size={20} />, title: 'No scenarios yet', text: 'The quickest way to one is a template.' }}>
          {(scenarios) => scenarios.map((scenario) => <ScenarioRow key={scenario.key} scenario={scenario} />)}
        </List>
      </Panel>
    </>
  );
}

function ScenarioRow({ scenario }: { readonly scenario: Scenario }) {
  const state = useQuery(scenarioStateQuery(scenario.key));
  const progress = useQuery(scenarioProgressQuery(scenario.key));
  const trigger = (scenario.nodes ?? []).find(({ type }) => type === 'trigger');
  const runs = progress.data?.runs;
  return (
    <Table.Tr>
      <Table.Td>
        <Link className="q-quiet" to={`/scenarios/${encodeURIComponent(scenario.key)}`}>
          <span className="q-list-title">{scenario.name ?? scenario.key}</span>
          <span className="q-list-note q-mono">{scenario.key}</span>
        </Link>
      </Table.Td>
      <Table.Td className="q-muted" visibleFrom="sm">
        {trigger === undefined ? '' : nodeWords(trigger)}
      </Table.Td>
      <Table.Td>{state.data === undefined ? <span className="q-faint">…</span> : <OutboundStatus status={state.data.status} />}</Table.Td>
      <Table.Td className="q-number">{runs === undefined ? '…' : count(runs['active'] ?? 0)}</Table.Td>
      <Table.Td className="q-number">{runs === undefined ? '…' : count(Object.values(runs).reduce((sum, n) => sum + n, 0))}</Table.Td>
    </Table.Tr>
  );
}
