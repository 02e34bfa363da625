import { Table } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { dryRunCampaign } from '../../api/campaigns';
import { count, percent } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Figure, Figures } from '../../parts/Figure';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { outcomeWords } from './words';

/** What a campaign would do now, without doing it. */
export function DryRunPanel({ campaign }: { readonly campaign: string }) {
  const run = useMutation({ mutationFn: () => dryRunCampaign(campaign, 0.02) });
  const found = run.data;
  return (
    <Panel
      title="Dry run"
      note="Who would get what now. Nothing is decided, sent or reserved."
      actions={
        <ActionButton needs="read" variant="default" loading={run.isPending} onClick={() => { run.mutate(); }}>
          Try it
        </ActionButton>
      }
    >
      {run.isError && <ProblemPanel error={run.error} />}
      {found !== undefined && (
        <>
          <Figures>
            <Figure label="Audience" value={count(found.audience)} note={found.sample < found.audience ? `from ${count(found.sample)} of them` : undefined} />
            <Figure label="Expected cost" value={found.cost.toFixed(2)} />
            <Figure
              label="Smallest lift to be seen"
              value={found.power?.effect === undefined ? '–' : percent(found.power.effect)}
              note={found.power === undefined ? 'nobody is held out to compare with' : `with ${count(found.power.held)} people held out, at 2 % conversion`}
            />
          </Figures>
          <Shares title="What becomes of them" shares={found.outcomes.map(({ name, people }) => ({ name: outcomeWords[name] ?? name, people }))} />
          <Shares title="What they get" shares={found.actions} />
          <Shares title="What each rule takes away" shares={found.rules} />
        </>
      )}
    </Panel>
  );
}

function Shares({ title, shares }: { readonly title: string; readonly shares: readonly { readonly name: string; readonly people: number }[] }) {
  if (shares.length === 0) return null;
  return (
    <Table className="q-list" verticalSpacing={4} aria-label={title}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{title}</Table.Th>
          <Table.Th className="q-number">People</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {shares.slice(0, 20).map(({ name, people }) => (
          <Table.Tr key={name}>
            <Table.Td>{name}</Table.Td>
            <Table.Td className="q-number">{count(Math.round(people))}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
