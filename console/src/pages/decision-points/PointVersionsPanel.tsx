import { Table } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { pointVersionsQuery, savePoint } from '../../api/points';
import type { DecisionPoint, PointBody } from '../../api/types';
import { ActionButton } from '../../parts/ActionButton';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonRows } from '../../parts/Skeletons';
import { bodyOf, draftOf } from './draft';
import { difference } from './difference';

/** The versions of a definition: what each changed, and the way back to it. */
export function PointVersionsPanel({ point }: { readonly point: DecisionPoint }) {
  const { key } = point;
  const versions = useQuery(pointVersionsQuery(key));
  const [open, setOpen] = useState<number | null>(null);
  const queries = useQueryClient();
  const back = useMutation({
    mutationFn: (body: PointBody) => savePoint(key, body, point.version),
    onSuccess: async () => {
      setOpen(null);
      await Promise.all([['decision-point', key], ['decision-points'], ['policy', key]].map((queryKey) => queries.invalidateQueries({ queryKey })));
    },
  });
  const current = bodyOf(draftOf(point));
  return (
    <Panel title="Versions" note="Newest first. Going back makes a new version, so that nothing of the log loses what it rests on.">
      {back.isError && <ProblemPanel error={back.error} />}
      <Loaded query={versions} skeleton={<SkeletonRows rows={3} />}>
        {(data) => (
          <ol style={{ listStyle: 'none', margin: 0, padding: 0 }}>
            {(data.items ?? []).map((version) => {
              const { value } = version;
              const isCurrent = version.version === point.version;
              const body = value === undefined ? null : bodyOf(draftOf({ ...value, key } as DecisionPoint));
              const changes = body === null || isCurrent ? [] : difference(body, current);
              return (
                <li key={version.version} style={{ padding: '6px 0' }}>
                  <b>Version {version.version}</b>{' '}
                  <span className="q-muted">
                    <Moment at={version.updatedAt} /> by {version.updatedBy}
                    {isCurrent ? ', in force' : ''}
                    {version.deleted ? ', deleted' : ''}
                  </span>{' '}
                  {body !== null && !isCurrent && (
                    <>
                      <ActionButton needs="read" size="compact-xs" variant="subtle" onClick={() => { setOpen(open === version.version ? null : version.version); }}>
                        {open === version.version ? 'Hide the difference' : 'Difference to now'}
                      </ActionButton>
                      <ActionButton
                        needs="define"
                        size="compact-xs"
                        variant="subtle"
                        loading={back.isPending && open === version.version}
                        blocked={changes.length === 0 ? 'It is what is in force.' : ''}
                        onClick={() => { setOpen(version.version); back.mutate(body); }}
                      >
                        Go back to it
                      </ActionButton>
                    </>
                  )}
                  {open === version.version && (
                    <Table className="q-list" verticalSpacing={4} aria-label={`Difference of version ${version.version.toString()}`}>
                      <Table.Thead>
                        <Table.Tr>
                          <Table.Th>Where</Table.Th>
                          <Table.Th>Version {version.version}</Table.Th>
                          <Table.Th>Now</Table.Th>
                        </Table.Tr>
                      </Table.Thead>
                      <Table.Tbody>
                        {changes.map(({ path, was, is }) => (
                          <Table.Tr key={path}>
                            <Table.Td className="q-mono">{path}</Table.Td>
                            <Table.Td>{was ?? <span className="q-faint">nothing</span>}</Table.Td>
                            <Table.Td>{is ?? <span className="q-faint">nothing</span>}</Table.Td>
                          </Table.Tr>
                        ))}
                        {changes.length === 0 && (
                          <Table.Tr>
                            <Table.Td colSpan={3}>No difference.</Table.Td>
                          </Table.Tr>
                        )}
                      </Table.Tbody>
                    </Table>
                  )}
                </li>
              );
            })}
          </ol>
        )}
      </Loaded>
    </Panel>
  );
}
