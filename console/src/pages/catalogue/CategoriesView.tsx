import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconCategory } from '@tabler/icons-react';
import { Link } from 'react-router';
import { overviewQuery, type CatalogueOverview } from '../../api/catalogue';
import { count, percent } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Figure, Figures } from '../../parts/Figure';
import { Rows, type Column } from '../../parts/List';
import { Loaded } from '../../parts/Loaded';
import { Panel } from '../../parts/Panel';
import { SkeletonRows } from '../../parts/Skeletons';

const columns: readonly Column[] = [{ label: 'Category' }, { label: 'Items', number: true }, { label: 'Of its own', number: true }, { label: 'Offered', number: true }];

/** The tree of categories, and what the items lack. */
export function CategoriesView() {
  const query = useQuery(overviewQuery);
  return (
    <Loaded query={query} skeleton={<SkeletonRows />}>
      {(overview) => <Tree overview={overview} />}
    </Loaded>
  );
}

function Tree({ overview }: { readonly overview: CatalogueOverview }) {
  const { categories } = overview;
  return (
    <div className="q-stack">
      <Figures>
        <Figure label="Items" value={count(overview.items)} note={`${count(overview.standings['offered'] ?? 0)} offered`} />
        <Figure label="Sold out" value={count(overview.standings['sold-out'] ?? 0)} />
        <Figure label="Without category" value={count(overview.noCategory)} />
        <Figure label="Without price" value={count(overview.noPrice)} />
        <Figure label="Without cost" value={count(overview.noCost)} note="the whole price counts as margin" />
        <Figure label="Without image" value={count(overview.noImage)} />
      </Figures>
      <Panel title="Categories" note="A category holds those below it. Rules that name it hold for them too." flush>
        {categories.length === 0 ? (
          <EmptyState icon={<IconCategory size={20} />} title="No categories">
            Items have a category with / between its levels, such as home/kitchen/pots.
          </EmptyState>
        ) : (
          <Rows columns={columns} minWidth={480}>
            {categories.map(({ path, name, level, items, own, offered }) => (
              <Table.Tr key={path}>
                <Table.Td>
                  <span className="q-category" style={{ paddingLeft: level * 22 }}>
                    {level > 0 && (
                      <span className="q-category-mark" aria-hidden="true">
                        └
                      </span>
                    )}
                    <Link className="q-quiet" to={`/catalogue?category=${encodeURIComponent(path)}`} aria-label={path} title={path}>
                      {name}
                    </Link>
                  </span>
                </Table.Td>
                <Table.Td className="q-number">{count(items)}</Table.Td>
                <Table.Td className="q-number">{count(own)}</Table.Td>
                <Table.Td className="q-number">
                  {count(offered)} <span className="q-muted">({percent(offered / items, 0)})</span>
                </Table.Td>
              </Table.Tr>
            ))}
          </Rows>
        )}
        {overview.moreCategories > 0 && <p className="q-list-end">{count(overview.moreCategories)} more categories are not shown.</p>}
      </Panel>
    </div>
  );
}
