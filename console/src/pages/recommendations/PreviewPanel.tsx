import { Button, Group, NativeSelect, NumberInput, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useSearchParams } from 'react-router';
import { placementsQuery, preview } from '../../api/recommendations';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { PreviewTable } from './PreviewTable';
import { itemsOf } from './words';

const kinds = ['home', 'product', 'cart', 'email', 'search'] as const;

/** What somebody would be shown, with scores, sources and reasons. */
export function PreviewPanel() {
  const [search] = useSearchParams();
  const placements = useQuery(placementsQuery);
  const [user, setUser] = useState(search.get('user') ?? '');
  const [items, setItems] = useState(search.get('item') ?? '');
  const [placement, setPlacement] = useState(search.get('placement') ?? (search.get('item') === null ? 'home' : 'product'));
  const [limit, setLimit] = useState(10);
  const shown = useMutation({
    mutationFn: () => preview({ placement, limit, ...(user.trim() === '' ? {} : { user: user.trim() }), ...(items.trim() === '' ? {} : { items: itemsOf(items) }) }),
  });
  const own = (placements.data?.items ?? []).map(({ key }) => key);
  return (
    <div className="q-stack">
      <Panel title="Preview" note="For a person, beside an item, for a cart or a search. Nothing is shown to anybody, and nothing is logged or counted.">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            shown.mutate();
          }}
        >
          <Group align="flex-end" gap="sm">
            <NativeSelect size="xs" label="Placement" data={[...new Set([...kinds, ...own])]} value={placement} onChange={(event) => { setPlacement(event.currentTarget.value); }} />
            <TextInput size="xs" w={220} label="Person" placeholder="userId:u42, or nobody" value={user} onChange={(event) => { setUser(event.currentTarget.value); }} />
            <TextInput size="xs" w={220} label="Items" placeholder="of the page, cart or search" value={items} onChange={(event) => { setItems(event.currentTarget.value); }} />
            <NumberInput size="xs" w={90} label="Places" min={1} max={200} value={limit} onChange={(value) => { setLimit(typeof value === 'number' ? value : 10); }} />
            <Button size="xs" type="submit" variant="default" loading={shown.isPending}>
              Recommend
            </Button>
          </Group>
        </form>
        {shown.isError && <ProblemPanel error={shown.error} />}
      </Panel>
      {shown.data !== undefined && (
        <Panel title="What would be shown" flush>
          <PreviewTable list={shown.data.list} label="Recommended items" />
        </Panel>
      )}
    </div>
  );
}
