import { Button, Group, NativeSelect, Table, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { placementsQuery, recommend, type RecommendationList } from '../../api/recommendations';
import { noFigure, probability, significant } from '../../format/number';
import { Panel } from '../../parts/Panel';
import '../../parts/list-table.css';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { itemsOf, reasonWords } from './words';

const kinds = ['home', 'product', 'cart', 'email', 'search'] as const;

/** What somebody would be shown, with scores and reasons. */
export function PreviewPanel() {
  const placements = useQuery(placementsQuery);
  const [user, setUser] = useState('');
  const [items, setItems] = useState('');
  const [placement, setPlacement] = useState('home');
  const preview = useMutation({ mutationFn: () => recommend({ user: user.trim(), items: itemsOf(items), placement }) });
  const own = (placements.data?.items ?? []).map(({ key }) => key);
  return (
    <Panel title="Preview" note="Nothing is shown to anybody and nothing is logged.">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          preview.mutate();
        }}
      >
        <Group align="flex-end" gap="sm">
          <NativeSelect size="xs" label="Placement" data={[...new Set([...kinds, ...own])]} value={placement} onChange={(event) => { setPlacement(event.currentTarget.value); }} />
          <TextInput size="xs" w={240} label="Person" placeholder="userId:u42, or nobody" value={user} onChange={(event) => { setUser(event.currentTarget.value); }} />
          <TextInput size="xs" w={240} label="Items" placeholder="of the page, cart or search" value={items} onChange={(event) => { setItems(event.currentTarget.value); }} />
          <Button size="xs" type="submit" variant="default" loading={preview.isPending}>
            Recommend
          </Button>
        </Group>
      </form>
      {preview.isError && <ProblemPanel error={preview.error} />}
      {preview.data !== undefined && <Recommended list={preview.data} />}
    </Panel>
  );
}

function Recommended({ list }: { readonly list: RecommendationList }) {
  const items = list.items ?? [];
  if (items.length === 0) return <p role="status">Nothing in the catalogue can be shown here: see the rules of the placement, and what is in stock.</p>;
  return (
    <>
      <p role="status" className="q-muted">
        {list.personal ? 'What the person did was used.' : 'Nothing is known of the person: these are for everybody.'}
      </p>
      <Table className="q-list" withRowBorders aria-label="Recommended items">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Item</Table.Th>
            <Table.Th>Why</Table.Th>
            <Table.Th className="q-number">Taken</Table.Th>
            <Table.Th className="q-number">Margin</Table.Th>
            <Table.Th className="q-number">Score</Table.Th>
            <Table.Th className="q-number">Propensity</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((item) => (
            <Table.Tr key={item.id}>
              <Table.Td>
                {item.name} <span className="q-list-note q-mono">{item.id}</span>
              </Table.Td>
              <Table.Td>{reasonWords(item)}</Table.Td>
              <Table.Td className="q-number">{item.probability > 0 ? probability(item.probability) : noFigure}</Table.Td>
              <Table.Td className="q-number">{significant(item.margin)}</Table.Td>
              <Table.Td className="q-number">{significant(item.score)}</Table.Td>
              <Table.Td className="q-number">{probability(item.propensity)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </>
  );
}
