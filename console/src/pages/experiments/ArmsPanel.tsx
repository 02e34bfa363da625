import { Table } from '@mantine/core';
import type { Report, Variant } from '../../api/types';
import { count, noFigure, percent } from '../../format/number';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import { costWords } from './PlanPanel';
import { policyText } from '../decision-points/policyText';

interface ArmsPanelProps {
  readonly report: Report;
  readonly variants: readonly Variant[];
}

/** Who is in which arm, and what the arm does. */
export function ArmsPanel({ report, variants }: ArmsPanelProps) {
  const arms = report.arms ?? [];
  const total = arms.reduce((sum, arm) => sum + arm.units, 0);
  const costs = costWords(report.arms);
  const byKey = new Map(variants.map((variant) => [variant.key, variant]));
  return (
    <Panel title="Arms" note={costs === '' ? `${count(total)} people exposed.` : `${count(total)} people exposed. Contacts cost per person: ${costs}.`} flush>
      <Table className="q-list" withRowBorders>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Variant</Table.Th>
            <Table.Th>Policy</Table.Th>
            <Table.Th className="q-number">People</Table.Th>
            <Table.Th className="q-number">Share</Table.Th>
            <Table.Th className="q-number">Set to</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {arms.map((arm) => {
            const variant = byKey.get(arm.variant);
            return (
              <Table.Tr key={arm.variant}>
                <Table.Td>
                  <span style={{ fontWeight: 550 }}>{arm.variant}</span>
                  {arm.control && (
                    <>
                      {' '}
                      <Tag>control</Tag>
                    </>
                  )}
                  {arm.dropped === true && <Tag tone="warning">dropped</Tag>}
                </Table.Td>
                <Table.Td className="q-muted">{variant === undefined || report.decisionPoint === undefined || report.decisionPoint === '' ? noFigure : policyText(variant.policy)}</Table.Td>
                <Table.Td className="q-number">{count(arm.units)}</Table.Td>
                <Table.Td className="q-number">{total > 0 ? percent(arm.units / total, 1) : noFigure}</Table.Td>
                <Table.Td className="q-number">{percent(arm.weight, 1)}</Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Panel>
  );
}
