import { Button, Group, NativeSelect, NumberInput, Stack, Switch, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { overviewQuery } from '../../api/catalogue';
import { asProblem, Problem } from '../../api/problem';
import { placementQuery, preview, savePlacement, type PlacementRow } from '../../api/recommendations';
import { ActionButton } from '../../parts/ActionButton';
import { messageAt, unplaced } from '../../parts/findings';
import { Loaded } from '../../parts/Loaded';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { keyOf } from '../experiments/draft';
import { PreviewTable } from './PreviewTable';
import { bodyOf, draftOf, kinds, type BoostDraft, type RuleDraft } from './ruleDraft';
import { itemsOf } from './words';
import './recommendations.css';

const parent = { to: '/recommendations/rules', label: 'Rules' };
const placed = ['name', 'key', 'kind', 'goal', 'boughtDays', 'categories', 'except', 'minPrice', 'maxPrice', 'pin', 'diversity', 'exploration', 'perSupplier'];
const kindWords = { home: 'Home page', product: 'Beside an item', cart: 'Cart', email: 'E-mail block', search: 'Order of a search' } as const;

const figure = (value: string | number): number => (typeof value === 'number' ? value : Number(value) || 0);

/** The rules of a placement, edited beside what they change. */
export function RulePage() {
  const { key = '' } = useParams();
  return key === 'new' ? <Editor /> : <Existing key={key} placement={key} />;
}

function Existing({ placement }: { readonly placement: string }) {
  const query = useQuery(placementQuery(placement));
  return (
    <>
      {query.data === undefined && <PageHeader title={placement} parent={parent} />}
      <Loaded query={query} skeleton={<SkeletonBlock height={420} />}>
        {(row) => <Editor key={row.version} row={row} />}
      </Loaded>
    </>
  );
}

function Editor({ row }: { readonly row?: PlacementRow }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const overview = useQuery(overviewQuery);
  const [draft, setDraft] = useState<RuleDraft>(() => draftOf(row));
  const [user, setUser] = useState('');
  const [items, setItems] = useState('');
  const set = (change: Partial<RuleDraft>) => {
    setDraft((was) => ({ ...was, ...change }));
  };
  const key = row?.key ?? keyOf(draft.name);
  const body = bodyOf(draft);
  const trial = useMutation({
    mutationFn: () =>
      preview({
        draft: body,
        limit: 10,
        ...(key === '' ? {} : { placement: key }),
        ...(user.trim() === '' ? {} : { user: user.trim() }),
        ...(items.trim() === '' ? {} : { items: itemsOf(items) }),
      }),
  });
  const save = useMutation({
    mutationFn: () => savePlacement(key, row?.version ?? null, body),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['placements'] });
      void navigate('/recommendations/rules');
    },
  });
  const problem = save.isError ? asProblem(save.error) : trial.isError ? asProblem(trial.error) : null;
  const findings = (problem?.findings ?? []).map(({ location, message }) => ({ location: location.replace(/^draft\./, ''), message }));
  const rest = unplaced(findings, placed);
  const wrong = (field: string) => messageAt(findings, field) || null;
  const boost = (at: number, change: Partial<BoostDraft>) => {
    set({ boost: draft.boost.map((each, n) => (n === at ? { ...each, ...change } : each)) });
  };
  const list = (field: 'categories' | 'except' | 'pin', label: string, description: string) => (
    <Textarea
      label={label}
      description={description}
      autosize
      minRows={2}
      maxRows={8}
      value={draft[field]}
      error={wrong(field)}
      onChange={(event) => {
        set({ [field]: event.currentTarget.value });
      }}
    />
  );
  return (
    <>
      <PageHeader
        title={row === undefined ? 'New placement' : (row.name ?? row.key)}
        parent={parent}
        note={row === undefined ? 'Asked for by its key: ?placement=…, or as the slot of an offer.' : <span className="q-mono">{`${row.key}, version ${row.version.toString()}`}</span>}
        actions={
          <ActionButton needs="define" loading={save.isPending} blocked={key === '' ? 'It needs a name.' : ''} onClick={() => { save.mutate(); }}>
            Save
          </ActionButton>
        }
      />
      <div className="q-stack">
        {problem !== null && (findings.length === 0 || rest.length > 0) && <ProblemPanel error={new Problem(problem.status, problem.title, problem.detail, rest)} />}
        <Panel title="Rules" note="An item that is sold out, outside its window or of an expired feed is never shown.">
          <Stack gap="md">
            <div className="q-rule-grid">
              <TextInput label="Name" description={key === '' ? 'Its key is made from it' : `Its key is ${key}`} value={draft.name} error={[wrong('name'), wrong('key')].filter(Boolean).join('; ') || null} onChange={(event) => { set({ name: event.currentTarget.value }); }} />
              <NativeSelect label="Kind" description="What the list is for" data={kinds.map((value) => ({ value, label: kindWords[value] }))} value={draft.kind} error={wrong('kind')} onChange={(event) => { set({ kind: kinds.find((one) => one === event.currentTarget.value) ?? 'home' }); }} />
              <NativeSelect label="Goal" description="What it is ranked by" data={[{ value: 'relevance', label: 'Probability that it is taken' }, { value: 'margin', label: 'Expected profit' }]} value={draft.goal} error={wrong('goal')} onChange={(event) => { set({ goal: event.currentTarget.value === 'margin' ? 'margin' : 'relevance' }); }} />
            </div>
            <div className="q-rule-grid">
              {list('pin', 'Pin', 'Ids of items that come first, in this order')}
              {list('categories', 'Only these categories', 'One a line, with those below; all when empty')}
              {list('except', 'None of these categories', 'One a line, with those below')}
            </div>
            <div>
              <Group justify="space-between" mb={6}>
                <span style={{ fontWeight: 500 }}>Boost and bury</span>
                <Button size="compact-xs" variant="default" leftSection={<IconPlus size={12} />} onClick={() => { set({ boost: [...draft.boost, { of: 'category', name: '', factor: 2 }] }); }}>
                  Add a factor
                </Button>
              </Group>
              {draft.boost.length === 0 && <span className="q-muted">None: scores are as they are. A factor above 1 boosts, below 1 buries.</span>}
              <Stack gap={8}>
                {draft.boost.map(({ of, name, factor }, n) => (
                  // Rows have no identity of their own.
                  <div className="q-boost" key={n}>
                    <NativeSelect size="xs" label="Of" data={['category', 'item']} value={of} onChange={(event) => { boost(n, { of: event.currentTarget.value === 'item' ? 'item' : 'category' }); }} />
                    <TextInput size="xs" label={of === 'item' ? 'Item' : 'Category'} value={name} {...(of === 'category' ? { list: 'rule-categories' } : {})} error={wrong(`boost[${n.toString()}]`)} onChange={(event) => { boost(n, { name: event.currentTarget.value }); }} />
                    <NumberInput size="xs" label={factor < 1 ? 'Buried by' : 'Boosted by'} min={0} max={100} step={0.1} decimalScale={3} value={factor} error={wrong(`boost[${n.toString()}].factor`)} onChange={(value) => { boost(n, { factor: figure(value) }); }} />
                    <Button size="compact-xs" variant="subtle" mb={4} onClick={() => { set({ boost: draft.boost.filter((_, other) => other !== n) }); }}>
                      Remove<span className="q-hidden-label"> factor {n + 1}</span>
                    </Button>
                  </div>
                ))}
              </Stack>
              <datalist id="rule-categories">
                {(overview.data?.categories ?? []).map(({ path }) => (
                  <option key={path} value={path} />
                ))}
              </datalist>
            </div>
            <div className="q-rule-grid">
              <NumberInput label="Lowest price" min={0} value={draft.minPrice} error={wrong('minPrice')} onChange={(value) => { set({ minPrice: figure(value) }); }} />
              <NumberInput label="Highest price" description="No bound when 0" min={0} value={draft.maxPrice} error={wrong('maxPrice')} onChange={(value) => { set({ maxPrice: figure(value) }); }} />
              <NumberInput label="Most items of one supplier" description="No bound when 0" min={0} max={200} value={draft.perSupplier} error={wrong('perSupplier')} onChange={(value) => { set({ perSupplier: figure(value) }); }} />
              <NumberInput label="Diversity" description="0 ranks by score alone, 1 by difference" min={0} max={1} step={0.1} decimalScale={3} value={draft.diversity} error={wrong('diversity')} onChange={(value) => { set({ diversity: figure(value) }); }} />
              <NumberInput label="Exploration" description="Share of even draws, at most 0.5" min={0} max={0.5} step={0.01} decimalScale={3} value={draft.exploration} error={wrong('exploration')} onChange={(value) => { set({ exploration: figure(value) }); }} />
              <div>
                <Switch mt={6} mb={8} label="Leave out what was bought" checked={draft.leaveOut} onChange={(event) => { set({ leaveOut: event.currentTarget.checked }); }} />
                {draft.leaveOut && <NumberInput size="xs" label="In the last days" min={1} max={3650} value={draft.boughtDays} error={wrong('boughtDays')} onChange={(value) => { set({ boughtDays: figure(value) }); }} />}
              </div>
            </div>
          </Stack>
        </Panel>
        <Panel title="Before and after" note="The list by what is saved beside the list by these rules, with the same draws of exploration. Nothing is shown to anybody.">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              trial.mutate();
            }}
          >
            <Group align="flex-end" gap="sm">
              <TextInput size="xs" w={220} label="Person" placeholder="userId:u42, or nobody" value={user} onChange={(event) => { setUser(event.currentTarget.value); }} />
              <TextInput size="xs" w={220} label="Items" placeholder="of the page, cart or search" value={items} onChange={(event) => { setItems(event.currentTarget.value); }} />
              <Button size="xs" type="submit" variant="default" loading={trial.isPending}>
                Compare
              </Button>
            </Group>
          </form>
        </Panel>
        {trial.data !== undefined && (
          <div className="q-compare">
            {trial.data.saved !== undefined && (
              <Panel title="Before: as it is saved" flush>
                <PreviewTable list={trial.data.saved} before={trial.data.saved} label="Items before" />
              </Panel>
            )}
            <Panel title={trial.data.saved === undefined ? 'By these rules' : 'After: by these rules'} flush>
              <PreviewTable list={trial.data.list} {...(trial.data.saved === undefined ? {} : { before: trial.data.saved })} label="Items after" />
            </Panel>
          </div>
        )}
      </div>
    </>
  );
}
