import { Button, Loader, Table, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { IconSearch, IconUsers } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { profilesQuery } from '../../api/profiles';
import type { ProfileRow } from '../../api/types';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { SkeletonRows } from '../../parts/Skeletons';
import '../../parts/list-table.css';
import { orderedIdentifiers, personName } from './person';

const pageRows = 50;

export function ProfilesPage() {
  const [parameters, setParameters] = useSearchParams();
  const text = parameters.get('q') ?? '';
  const after = parameters.get('after') ?? '';
  const [query] = useDebouncedValue(text.trim(), 200);
  const found = useQuery(profilesQuery(query, pageRows, after));
  const [trail, setTrail] = useState<readonly string[]>([]);
  const show = (next: Record<string, string>, replace: boolean) => {
    setParameters(Object.fromEntries(Object.entries(next).filter(([, value]) => value !== '')), { replace });
  };
  return (
    <>
      <PageHeader title="Profiles" note="Everybody who was ever seen, the most recent first." />
      <Panel flush>
        <div style={{ padding: '12px 16px 10px' }}>
          <TextInput
            aria-label="Search profiles"
            placeholder="Identifier, name or e-mail"
            value={text}
            maw={420}
            leftSection={<IconSearch size={15} stroke={1.8} />}
            rightSection={found.isFetching ? <Loader size={14} /> : null}
            onChange={(event) => {
              setTrail([]);
              show({ q: event.currentTarget.value }, true);
            }}
          />
        </div>
        <Loaded query={found} skeleton={<SkeletonRows rows={10} />}>
          {(data) => {
            const people = data.items ?? [];
            return people.length === 0 ? (
              <EmptyState icon={<IconUsers size={20} />} title={query === '' ? 'Nobody is known yet' : 'Nobody found'}>
                {query === '' ? (
                  <>
                    People appear with the first <code>POST /v1/identify</code> or <code>/v1/track</code>.
                  </>
                ) : (
                  'Identifiers are found by how they begin.'
                )}
              </EmptyState>
            ) : (
              <ProfileTable people={people} />
            );
          }}
        </Loaded>
        {(trail.length > 0 || Boolean(found.data?.next)) && (
          <div style={{ display: 'flex', justifyContent: 'flex-end', gap: 8, padding: '8px 16px' }}>
            <Button
              variant="default"
              size="xs"
              disabled={trail.length === 0}
              onClick={() => {
                show({ q: text, after: trail.at(-1) ?? '' }, false);
                setTrail(trail.slice(0, -1));
              }}
            >
              Back
            </Button>
            <Button
              variant="default"
              size="xs"
              disabled={!found.data?.next}
              onClick={() => {
                setTrail([...trail, after]);
                show({ q: text, after: found.data?.next ?? '' }, false);
              }}
            >
              Next
            </Button>
          </div>
        )}
      </Panel>
    </>
  );
}

function ProfileTable({ people }: { readonly people: readonly ProfileRow[] }) {
  return (
    <Table className="q-list" highlightOnHover>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Person</Table.Th>
          <Table.Th>Identifiers</Table.Th>
          <Table.Th>First seen</Table.Th>
          <Table.Th>Last seen</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {people.map((person) => (
          <Table.Tr key={person.profileId}>
            <Table.Td>
              <Link className="q-quiet" to={`/profiles/${encodeURIComponent(person.profileId)}`}>
                <span className="q-list-title">{personName(person)}</span>
                <span className="q-list-note q-mono">{person.profileId}</span>
              </Link>
            </Table.Td>
            <Table.Td className="q-muted">
              {orderedIdentifiers(person)
                .slice(0, 3)
                .map((identifier) => (
                  <div key={`${identifier.namespace} ${identifier.value}`} className="q-clip" style={{ maxWidth: 360 }}>
                    <span className="q-faint">{identifier.namespace}</span> {identifier.value}
                  </div>
                ))}
            </Table.Td>
            <Table.Td>
              <Moment at={person.createdAt} />
            </Table.Td>
            <Table.Td>
              <Moment at={person.lastSeenAt ?? person.updatedAt} as="ago" />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
