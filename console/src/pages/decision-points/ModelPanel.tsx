import { Button, Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconBrain } from '@tabler/icons-react';
import { Link } from 'react-router';
import { modelsQuery } from '../../api/points';
import type { Models } from '../../api/types';
import { IntervalAxis, IntervalMark } from '../../charts/IntervalMark';
import { intervalScale } from '../../charts/scale';
import { levelTick } from '../../format/effect';
import { count, decimalsFor, fixed, significant } from '../../format/number';
import { ActionName } from '../../parts/ActionName';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { SkeletonRows } from '../../parts/Skeletons';
import '../../parts/list-table.css';

const shownVersions = 8;
const shownActions = 12;

interface ModelPanelProps {
  readonly pointKey: string;
  readonly bandit: boolean;
}

/** What was learned: the belief about each action, and the versions that held it. */
export function ModelPanel({ pointKey, bandit }: ModelPanelProps) {
  const query = useQuery(modelsQuery(pointKey));
  return (
    <Panel
      title="Model"
      note="Expected reward of each action for an average person, with the 95% range of the belief. A version is a function of the log and can be rebuilt from it."
      flush
      actions={
        <Button component={Link} to={`/decision-points/${encodeURIComponent(pointKey)}/policy`} size="xs" variant="default">
          Policy, candidates and versions
        </Button>
      }
    >
      <Loaded query={query} skeleton={<SkeletonRows rows={5} />}>
        {(data) =>
          (data.items ?? []).length === 0 ? (
            <EmptyState icon={<IconBrain size={20} />} title="No model yet">
              {bandit
                ? 'Until there are outcomes, every eligible action is as likely as any other.'
                : 'The policy of this decision point does not learn; experiments may still run a bandit on it.'}
            </EmptyState>
          ) : (
            <ModelBody models={data} />
          )
        }
      </Loaded>
    </Panel>
  );
}

function ModelBody({ models }: { readonly models: Models }) {
  return (
    <>
      <Beliefs models={models} />
      <Table className="q-list">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Version</Table.Th>
            <Table.Th>Built</Table.Th>
            <Table.Th className="q-number">Decisions learned from</Table.Th>
            <Table.Th className="q-number">Their reward per decision</Table.Th>
            <Table.Th className="q-number">Through sequence</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {(models.items ?? []).slice(0, shownVersions).map((version) => (
            <Table.Tr key={version.version}>
              <Table.Td>
                {version.version}
                {version.version === models.current?.version && <span className="q-muted"> · in use</span>}
              </Table.Td>
              <Table.Td>
                <Moment at={version.builtAt} />
              </Table.Td>
              <Table.Td className="q-number">{count(version.decisions)}</Table.Td>
              <Table.Td className="q-number">{significant(version.decisions > 0 ? version.reward / version.decisions : undefined)}</Table.Td>
              <Table.Td className="q-number">{count(version.through)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </>
  );
}

function Beliefs({ models }: { readonly models: Models }) {
  const actions = [...(models.current?.actions ?? [])].sort((a, b) => b.mean - a.mean).slice(0, shownActions);
  if (actions.length === 0) return null;
  const intervals = actions.map(({ mean, sd }) => ({ estimate: mean, lower: mean - 1.96 * sd, upper: mean + 1.96 * sd }));
  const scale = intervalScale(intervals);
  return (
    <Table className="q-list" mb="sm">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Action</Table.Th>
          <Table.Th className="q-number">Decisions</Table.Th>
          <Table.Th className="q-number">Reward per decision</Table.Th>
          <Table.Th style={{ width: '42%' }}>95% range</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {actions.map((action, index) => {
          const interval = intervals[index];
          if (interval === undefined) return null;
          const decimals = decimalsFor(1.96 * action.sd);
          const range = `${fixed(interval.lower, decimals)} to ${fixed(interval.upper, decimals)}`;
          return (
            <Table.Tr key={action.action}>
              <Table.Td>
                <ActionName action={action.action} />
              </Table.Td>
              <Table.Td className="q-number">{count(action.decisions)}</Table.Td>
              <Table.Td className="q-number">
                {fixed(action.mean, decimals)}
                <span className="q-list-note">{range}</span>
              </Table.Td>
              <Table.Td>
                <IntervalMark interval={interval} scale={scale} verdict="unclear" label={`${action.action}: ${fixed(action.mean, decimals)}, 95% range ${range}`} />
              </Table.Td>
            </Table.Tr>
          );
        })}
        <Table.Tr>
          <Table.Td colSpan={3} />
          <Table.Td>
            <IntervalAxis scale={scale} format={levelTick} />
          </Table.Td>
        </Table.Tr>
      </Table.Tbody>
    </Table>
  );
}
