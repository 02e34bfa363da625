import { Table } from '@mantine/core';
import type { DryRun } from '../../api/types';
import { count, percent } from '../../format/number';
import { Figure, Figures } from '../../parts/Figure';
import { outcomeWords } from './words';

/** What a campaign or a decision point would do now. */
export function DryRunResult({ found, queued = outcomeWords['queued'] ?? 'queued' }: { readonly found: DryRun; readonly queued?: string }) {
  const contacts = found.outcomes.find(({ name }) => name === 'queued')?.people ?? 0;
  return (
    <div role="status" className="q-stack">
      <Figures>
        <Figure label="Audience" value={count(found.audience)} note={found.sample < found.audience ? `from ${count(found.sample)} of them` : undefined} />
        <Figure label="Expected cost" value={found.cost.toFixed(2)} />
        <Figure
          label="Expected value"
          value={found.valued === 0 ? '–' : found.value.toFixed(2)}
          note={found.valued === 0 ? 'no value is known of the contacts' : found.valued < contacts * 0.995 ? `known of ${count(Math.round(found.valued))} contacts` : undefined}
        />
        <Figure
          label="Smallest lift to be seen"
          value={found.power?.effect === undefined ? '–' : percent(found.power.effect)}
          note={found.power === undefined ? 'nobody is held out to compare with' : `with ${count(found.power.held)} people held out, at 2 % conversion`}
        />
      </Figures>
      <Shares title="What becomes of them" shares={found.outcomes.map(({ name, people }) => ({ name: name === 'queued' ? queued : (outcomeWords[name] ?? name), people }))} />
      <Shares title="What they get" shares={found.actions} />
      <Shares title="What each rule takes away" shares={found.rules} />
      {found.experiments.map(({ experiment, arms, power }) => (
        <Shares
          key={experiment}
          title={`${experiment}${power?.effect === undefined ? '' : `: a lift of ${percent(power.effect)} can be seen`}`}
          shares={arms.map(({ variant, people, control }) => ({ name: control === true ? `${variant} (control)` : variant, people }))}
        />
      ))}
    </div>
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
