import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconGitFork } from '@tabler/icons-react';
import { Link } from 'react-router';
import { pointsQuery } from '../../api/points';
import { count } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { SkeletonRows } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import { actionCount, objectiveText } from './actionCount';
import { policyText } from './policyText';

export function PointsPage() {
  const query = useQuery(pointsQuery);
  return (
    <>
      <PageHeader title="Decision points" note="Places and moments that ask for a decision: what may be said, and how one answer is chosen." actions={<ActionButton needs="define" to="/decision-points/new">New decision point</ActionButton>} />
      <Panel flush>
        <Loaded query={query} skeleton={<SkeletonRows />}>
          {(data) => {
            const points = data.items ?? [];
            if (points.length === 0) {
              return (
                <EmptyState icon={<IconGitFork size={20} />} title="No decision points yet">
                  Create one with <code>PUT /v1/decision-points/&#123;key&#125;</code>, then ask it with <code>POST /v1/decide</code>.
                </EmptyState>
              );
            }
            return (
              <Table className="q-list" highlightOnHover verticalSpacing={9}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Decision point</Table.Th>
                    <Table.Th>Class</Table.Th>
                    <Table.Th>Policy</Table.Th>
                    <Table.Th className="q-number">Actions</Table.Th>
                    <Table.Th>Objective</Table.Th>
                    <Table.Th>Changed</Table.Th>
                    <Table.Th className="q-number">Version</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {points.map((point) => (
                    <Table.Tr key={point.key}>
                      <Table.Td>
                        <Link className="q-quiet" to={`/decision-points/${encodeURIComponent(point.key)}`}>
                          <span className="q-list-title">{point.name ?? point.key}</span>
                          <span className="q-list-note">{point.key}</span>
                        </Link>
                      </Table.Td>
                      <Table.Td>
                        <Tag>{point.class ?? 'advertising'}</Tag>
                      </Table.Td>
                      <Table.Td>{policyText(point.policy)}</Table.Td>
                      <Table.Td className="q-number">{count(actionCount(point))}</Table.Td>
                      <Table.Td className="q-muted">{objectiveText(point.objective)}</Table.Td>
                      <Table.Td>
                        <Moment at={point.updatedAt} />
                      </Table.Td>
                      <Table.Td className="q-number">{point.version}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            );
          }}
        </Loaded>
      </Panel>
    </>
  );
}
