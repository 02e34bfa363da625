import { Table } from '@mantine/core';
import { useMutation, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import { useState } from 'react';
import { ActionButton } from '../../parts/ActionButton';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonRows } from '../../parts/Skeletons';
import { difference } from '../decision-points/difference';

interface Version<Body> {
  readonly version: number;
  readonly updatedAt: string;
  readonly updatedBy: string;
  readonly deleted?: boolean;
  readonly value?: Body;
}

interface Props<Body> {
  readonly versions: UseQueryResult<{ readonly items: readonly Version<Body>[] | null }>;
  /** The version in force. */
  readonly current: number;
  readonly note: string;
  /** Saves a body as the next version. */
  readonly save: (body: Body) => Promise<unknown>;
  /** What is read anew after that. */
  readonly changes: readonly string[];
}

/** The versions of a definition: what sets each apart from now, and the way back to it. */
export function VersionsPanel<Body>({ versions, current, note, save, changes }: Props<Body>) {
  const [open, setOpen] = useState(0);
  const queries = useQueryClient();
  const back = useMutation({
    mutationFn: save,
    onSuccess: async () => {
      setOpen(0);
      await queries.invalidateQueries({ queryKey: changes });
    },
  });
  return (
    <Panel title="Versions" note={note}>
      {back.isError && <ProblemPanel error={back.error} />}
      <Loaded query={versions} skeleton={<SkeletonRows rows={3} />}>
        {({ items }) => {
          const now = items?.find(({ version }) => version === current)?.value;
          return (
            <ol style={{ listStyle: 'none', margin: 0, padding: 0 }}>
              {(items ?? []).map(({ version, updatedAt, updatedBy, deleted, value }) => {
                const differences = value === undefined || now === undefined ? [] : difference(value, now);
                return (
                  <li key={version} style={{ padding: '6px 0' }}>
                    <b>Version {version}</b>{' '}
                    <span className="q-muted">
                      <Moment at={updatedAt} /> by {updatedBy}
                      {version === current ? ', in force' : ''}
                      {deleted === true ? ', deleted' : ''}
                    </span>{' '}
                    {value !== undefined && now !== undefined && version !== current && (
                      <>
                        <ActionButton needs="read" size="compact-xs" variant="subtle" onClick={() => { setOpen(open === version ? 0 : version); }}>
                          {open === version ? 'Hide the difference' : 'Difference to now'}
                        </ActionButton>
                        <ActionButton
                          needs="define"
                          size="compact-xs"
                          variant="subtle"
                          loading={back.isPending && open === version}
                          blocked={differences.length === 0 ? 'It is what is in force.' : ''}
                          onClick={() => { setOpen(version); back.mutate(value); }}
                        >
                          Go back to it
                        </ActionButton>
                      </>
                    )}
                    {open === version && (
                      <Table className="q-list" verticalSpacing={4} aria-label={`Difference of version ${version.toString()}`}>
                        <Table.Thead>
                          <Table.Tr>
                            <Table.Th>Where</Table.Th>
                            <Table.Th>Version {version}</Table.Th>
                            <Table.Th>Now</Table.Th>
                          </Table.Tr>
                        </Table.Thead>
                        <Table.Tbody>
                          {differences.map(({ path, was, is }) => (
                            <Table.Tr key={path}>
                              <Table.Td className="q-mono">{path}</Table.Td>
                              <Table.Td>{was ?? <span className="q-faint">nothing</span>}</Table.Td>
                              <Table.Td>{is ?? <span className="q-faint">nothing</span>}</Table.Td>
                            </Table.Tr>
                          ))}
                          {differences.length === 0 && (
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
          );
        }}
      </Loaded>
    </Panel>
  );
}
