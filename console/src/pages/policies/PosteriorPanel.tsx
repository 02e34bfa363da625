import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconBrain } from '@tabler/icons-react';
import { posteriorQuery } from '../../api/policies';
import type { Posterior } from '../../api/types';
import { IntervalAxis, IntervalMark } from '../../charts/IntervalMark';
import { intervalScale } from '../../charts/scale';
import { levelTick } from '../../format/effect';
import { count, decimalsFor, fixed } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Panel } from '../../parts/Panel';
import { SkeletonRows } from '../../parts/Skeletons';
import { beliefGroups, type BeliefRow } from './beliefs';
import '../../parts/list-table.css';

interface PosteriorPanelProps {
  readonly pointKey: string;
  readonly hasModel: boolean;
}

/** What the version in use believes: by action, and by each factor of the actions. */
export function PosteriorPanel({ pointKey, hasModel }: PosteriorPanelProps) {
  const query = useQuery({ ...posteriorQuery(pointKey, 0), enabled: hasModel, refetchInterval: 15_000 });
  return (
    <Panel title="What it believes" note="Expected reward for an average person, with the 95% range. A factor's value is the mean of the actions that have it." flush>
      {hasModel ? (
        <Loaded query={query} skeleton={<SkeletonRows rows={6} />}>
          {(data) => <Beliefs posterior={data} />}
        </Loaded>
      ) : (
        <EmptyState icon={<IconBrain size={20} />} title="Nothing yet">
          Beliefs come with the first outcomes, where a bandit learns here.
        </EmptyState>
      )}
    </Panel>
  );
}

function Beliefs({ posterior }: { readonly posterior: Posterior }) {
  const groups = beliefGroups(posterior);
  const scale = intervalScale(groups.flatMap((group) => group.rows.map(({ mean, lower, upper }) => ({ estimate: mean, lower, upper }))));
  return (
    <Table.ScrollContainer minWidth={640}>
      <Table className="q-list">
        {groups.map((group) => (
          <Group key={group.name} name={group.name} rows={group.rows} scale={scale} />
        ))}
        <Table.Tbody>
          <Table.Tr>
            <Table.Td colSpan={3} />
            <Table.Td>
              <IntervalAxis scale={scale} format={levelTick} />
            </Table.Td>
          </Table.Tr>
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

interface GroupProps {
  readonly name: string;
  readonly rows: readonly BeliefRow[];
  readonly scale: ReturnType<typeof intervalScale>;
}

function Group({ name, rows, scale }: GroupProps) {
  return (
    <>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{name}</Table.Th>
          <Table.Th className="q-number">Decisions</Table.Th>
          <Table.Th className="q-number">Reward per decision</Table.Th>
          <Table.Th style={{ width: '42%' }}>95% range</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map(({ label, decisions, mean, lower, upper }) => {
          const decimals = decimalsFor((upper - lower) / 2);
          const range = `${fixed(lower, decimals)} to ${fixed(upper, decimals)}`;
          return (
            <Table.Tr key={label}>
              <Table.Td className="q-mono">{label}</Table.Td>
              <Table.Td className="q-number">{count(decisions)}</Table.Td>
              <Table.Td className="q-number">
                {fixed(mean, decimals)}
                <span className="q-list-note">{range}</span>
              </Table.Td>
              <Table.Td>
                <IntervalMark interval={{ estimate: mean, lower, upper }} scale={scale} verdict="unclear" label={`${label}: ${fixed(mean, decimals)}, 95% range ${range}`} />
              </Table.Td>
            </Table.Tr>
          );
        })}
      </Table.Tbody>
    </>
  );
}
