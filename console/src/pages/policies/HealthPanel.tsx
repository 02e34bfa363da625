import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { policyHealthQuery } from '../../api/policies';
import type { PolicyHealth } from '../../api/types';
import { count, noFigure, significant } from '../../format/number';
import { Figure, Figures } from '../../parts/Figure';
import { Rows } from '../../parts/List';
import { Loaded } from '../../parts/Loaded';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';

const columns = [{ label: 'Expected', number: true }, { label: 'Came', number: true }, { label: 'Standard error', number: true }, { label: 'Decisions', number: true }] as const;

/** Whether the policy does what its model expects. */
export function HealthPanel({ pointKey }: { readonly pointKey: string }) {
  const query = useQuery(policyHealthQuery(pointKey));
  return (
    <Panel title="Calibration and drift" note="What the model expected of the decisions of the last seven days, beside what came of them.">
      <Loaded query={query} skeleton={<SkeletonBlock height={120} />}>
        {(health) => <HealthBody health={health} />}
      </Loaded>
    </Panel>
  );
}

function HealthBody({ health }: { readonly health: PolicyHealth }) {
  const { band } = health;
  return (
    <>
      <Figures>
        <Figure label="Expected" value={health.decisions > 0 ? significant(health.expected) : noFigure} note="reward per decision" />
        <Figure
          label="Came"
          value={health.decisions > 0 ? significant(health.observed) : noFigure}
          note={health.miscalibrated ? <Tag tone="worse">not what was expected</Tag> : `of ${count(health.decisions)} decisions`}
        />
        <Figure label="Drift of the actions" value={significant(health.drift)} note={health.drifted ? <Tag tone="warning">the mix has changed</Tag> : 'the last day against the seven before'} />
        {band !== undefined && (
          <Figure
            label="Since the promotion"
            value={band.persons > 1 ? significant(band.reward) : noFigure}
            note={band.below ? <Tag tone="worse">below its band</Tag> : band.above ? <Tag tone="warning">above its band</Tag> : `band ${significant(band.lower)} to ${significant(band.upper)}`}
          />
        )}
      </Figures>
      {health.bins.length > 0 && (
        <Rows columns={columns} minWidth={420}>
          {health.bins.map((bin, index) => (
            <Table.Tr key={index.toString()}>
              <Table.Td className="q-number">{significant(bin.expected)}</Table.Td>
              <Table.Td className="q-number">{significant(bin.observed)}</Table.Td>
              <Table.Td className="q-number">{significant(bin.error)}</Table.Td>
              <Table.Td className="q-number">{count(bin.decisions)}</Table.Td>
            </Table.Tr>
          ))}
        </Rows>
      )}
    </>
  );
}
