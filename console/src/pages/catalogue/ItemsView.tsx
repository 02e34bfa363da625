import { NativeSelect, Table, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconPackages } from '@tabler/icons-react';
import { Link, useSearchParams } from 'react-router';
import { itemsQuery, overviewQuery, standings, type CatalogueItem, type ItemFilter } from '../../api/catalogue';
import { count, fixed, noFigure, percent } from '../../format/number';
import { List, type Column } from '../../parts/List';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { bandsOf, marginShare, standingChoices, standingWords, stockWords } from './words';

const columns: readonly Column[] = [
  { label: 'Item' },
  { label: 'Category' },
  { label: 'Price', number: true },
  { label: 'Cost', number: true },
  { label: 'Margin', number: true },
  { label: 'Stock', number: true },
  { label: 'Standing' },
];

const figure = (text: string | null): number => {
  const value = Number(text ?? '');
  return Number.isFinite(value) && value > 0 ? value : 0;
};

/** The items, looked through by words, category, price and whether they can be offered. */
export function ItemsView() {
  const [search, setSearch] = useSearchParams();
  const overview = useQuery(overviewQuery);
  const filter: ItemFilter = {
    text: search.get('q') ?? '',
    category: search.get('category') ?? '',
    standing: search.get('standing') ?? '',
    feed: search.get('feed') ?? '',
    minPrice: figure(search.get('minPrice')),
    maxPrice: figure(search.get('maxPrice')),
  };
  const first = useQuery(itemsQuery(filter)(''));
  const set = (values: Readonly<Record<string, string>>) => {
    setSearch(
      (was) => {
        const next = new URLSearchParams(was);
        for (const [name, value] of Object.entries(values)) {
          if (value === '') next.delete(name);
          else next.set(name, value);
        }
        return next;
      },
      { replace: true },
    );
  };
  const bands = bandsOf(overview.data?.priceBands ?? []);
  const band = `${filter.minPrice.toString()} ${filter.maxPrice.toString()}`;
  const known = bands.some(({ from, to }) => `${from.toString()} ${to.toString()}` === band);
  const any = filter.text !== '' || filter.category !== '' || filter.standing !== '' || filter.feed !== '' || filter.minPrice > 0 || filter.maxPrice > 0;
  return (
    <Panel flush>
      <div className="q-catalogue-filter" role="search">
        <TextInput
          size="xs"
          label="Search"
          placeholder="name, key or supplier"
          maxLength={200}
          value={filter.text}
          onChange={(event) => {
            set({ q: event.currentTarget.value });
          }}
        />
        <NativeSelect
          size="xs"
          label="Category"
          value={filter.category}
          data={[
            { value: '', label: 'All' },
            ...(overview.data?.categories ?? []).map(({ path, name, level, items }) => ({ value: path, label: `${'\u2003'.repeat(level)}${name} (${count(items)})` })),
          ]}
          onChange={(event) => {
            set({ category: event.currentTarget.value });
          }}
        />
        <NativeSelect
          size="xs"
          label="Standing"
          value={filter.standing}
          data={[{ value: '', label: 'Any' }, ...standings.map((value) => ({ value, label: standingChoices[value] ?? value }))]}
          onChange={(event) => {
            set({ standing: event.currentTarget.value });
          }}
        />
        <NativeSelect
          size="xs"
          label="Price"
          value={known ? band : filter.minPrice + filter.maxPrice > 0 ? band : ''}
          data={[
            { value: '', label: 'Any' },
            ...bands.map(({ label, from, to }) => ({ value: `${from.toString()} ${to.toString()}`, label })),
            ...(!known && filter.minPrice + filter.maxPrice > 0 ? [{ value: band, label: `${fixed(filter.minPrice, 2)} to ${filter.maxPrice > 0 ? fixed(filter.maxPrice, 2) : 'any'}` }] : []),
          ]}
          onChange={(event) => {
            const [from = '', to = ''] = event.currentTarget.value.split(' ');
            set({ minPrice: from, maxPrice: to });
          }}
        />
      </div>
      <p className="q-catalogue-total" role="status">
        {first.data === undefined ? ' ' : `${count(first.data.total)} ${first.data.total === 1 ? 'item' : 'items'}${filter.feed === '' ? '' : ` of the feed ${filter.feed}`}`}
      </p>
      <List
        key={JSON.stringify(filter)}
        page={itemsQuery(filter)}
        columns={columns}
        minWidth={760}
        empty={
          any
            ? { icon: <IconPackages size={20} />, title: 'No item fits', text: 'Take away a word or choose another category.' }
            : { icon: <IconPackages size={20} />, title: 'No items yet', text: 'Add a feed, import a file, or write items with PUT /v1/items. Until then nothing is recommended.' }
        }
      >
        {(items) => items.map((item) => <ItemRow key={item.key} item={item} />)}
      </List>
    </Panel>
  );
}

function ItemRow({ item: { key, item, margin, standing } }: { readonly item: CatalogueItem }) {
  const { word, tone, meaning } = standingWords[standing];
  const share = marginShare(item.price, margin);
  return (
    <Table.Tr>
      <Table.Td>
        <Link className="q-quiet" to={`/catalogue/items/${encodeURIComponent(key)}`}>
          <span className="q-list-title">{item.name}</span>
          <span className="q-list-note q-mono">{key}</span>
        </Link>
      </Table.Td>
      <Table.Td>{item.category ?? <span className="q-faint">none</span>}</Table.Td>
      <Table.Td className="q-number">{item.price === undefined ? noFigure : fixed(item.price, 2)}</Table.Td>
      <Table.Td className="q-number">{item.cost === undefined ? noFigure : fixed(item.cost, 2)}</Table.Td>
      <Table.Td className="q-number">
        {fixed(margin, 2)}
        {share !== undefined && <span className="q-list-note">{percent(share)}</span>}
      </Table.Td>
      <Table.Td className="q-number">{stockWords(item.stock)}</Table.Td>
      <Table.Td>
        <Tag tone={tone} title={meaning}>
          {word}
        </Tag>
      </Table.Td>
    </Table.Tr>
  );
}
