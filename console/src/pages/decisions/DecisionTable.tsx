import { Table } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'react-router';
import type { DecisionRow } from '../../api/types';
import { probability } from '../../format/number';
import { ActionName } from '../../parts/ActionName';
import { Group } from '../../parts/Group';
import { Moment } from '../../parts/Moment';
import { Tag } from '../../parts/Tag';
import './decision-table.css';

interface DecisionTableProps {
  readonly decisions: readonly DecisionRow[];
  /** Marks the rows that came after the table was first shown. */
  readonly arrivals?: boolean;
  readonly columns?: { readonly person?: boolean; readonly point?: boolean };
}

/** Decisions, one a line; the time of each leads to its explanation. */
export function DecisionTable({ decisions, arrivals = false, columns = {} }: DecisionTableProps) {
  const [first] = useState(() => new Set(decisions.map((decision) => decision.decisionId)));
  const { person = true, point = true } = columns;
  return (
    <Table className="q-decisions" highlightOnHover>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Time</Table.Th>
          {person && <Table.Th>Person</Table.Th>}
          {point && <Table.Th>Decision point</Table.Th>}
          <Table.Th>Action</Table.Th>
          <Table.Th>Group</Table.Th>
          <Table.Th>Policy</Table.Th>
          <Table.Th className="q-number">Propensity</Table.Th>
          <Table.Th>
            <span className="q-hidden-label">Explanation</span>
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {decisions.map((decision) => (
          <Table.Tr key={decision.decisionId} className={arrivals && !first.has(decision.decisionId) ? 'q-arrived' : ''}>
            <Table.Td>
              <Moment at={decision.decidedAt} as={arrivals ? 'clock' : 'second'} />
            </Table.Td>
            {person && (
              <Table.Td>
                <Link className="q-quiet q-mono" to={`/profiles/${encodeURIComponent(decision.profileId)}`} title={decision.profileId}>
                  {decision.profileId.slice(0, 10)}
                </Link>
              </Table.Td>
            )}
            {point && (
              <Table.Td>
                <Link className="q-quiet" to={`/decision-points/${encodeURIComponent(decision.decision)}`}>
                  {decision.decision}
                </Link>
              </Table.Td>
            )}
            <Table.Td>
              {decision.eligible ? <ActionName action={decision.action} /> : <span className="q-muted">not addressed</span>}
              {decision.fallback && (
                <>
                  {' '}
                  <Tag tone="warning" title="The default action came back, because a decision could not be made or recorded">
                    fallback
                  </Tag>
                </>
              )}
            </Table.Td>
            <Table.Td>
              <Group name={decision.group} />
            </Table.Td>
            <Table.Td className="q-muted">{decision.policy}</Table.Td>
            <Table.Td className="q-number">{decision.eligible ? probability(decision.propensity) : '–'}</Table.Td>
            <Table.Td className="q-decisions-why">
              <Link className="q-link" to={`/decisions/${encodeURIComponent(decision.decisionId)}`}>
                Why<span className="q-hidden-label"> decision {decision.decisionId}</span>
              </Link>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
