import { Table } from '@mantine/core';
import { useQuery, type QueryKey, type UseQueryOptions } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { EmptyState } from './EmptyState';
import { Loaded } from './Loaded';
import { Pager } from './Pager';
import { SkeletonRows } from './Skeletons';
import './list-table.css';

/** A page of a list, as every list of the API answers. */
export interface Page<T> {
  readonly items: readonly T[] | null;
  /** Where the next page begins; empty or 0 at the end, absent where everything is on one page. */
  readonly next?: string | number;
}

/** One column of a list. */
export interface Column {
  readonly label: string;
  /** Figures stand on the right. */
  readonly number?: boolean;
  /** The label is for those who do not see the page: of buttons, say. */
  readonly silent?: boolean;
  readonly visibleFrom?: 'sm' | 'md';
}

type ItemOf<P extends Page<unknown>> = NonNullable<P['items']>[number];

interface ListProps<P extends Page<unknown>, K extends QueryKey> {
  /** The page that begins there, empty for the first. Data of the page before are to stay while it loads. */
  readonly page: (after: string) => UseQueryOptions<P, Error, P, K>;
  readonly columns: readonly Column[];
  /** What stands where there is nothing. */
  readonly empty: { readonly icon: ReactNode; readonly title: string; readonly text?: ReactNode };
  /** Below this width the list scrolls within its panel, in pixels. */
  readonly minWidth?: number;
  /** Rows of the skeleton. */
  readonly rows?: number;
  /** Below the rows and above the pager. */
  readonly footer?: (items: readonly ItemOf<P>[]) => ReactNode;
  /** A row for each of the items. */
  readonly children: (items: readonly ItemOf<P>[]) => ReactNode;
}

/**
 * A list of the API page by page: on its way, failed, empty, or as a table.
 * Where the first page depends on a filter, the list needs a key of that filter.
 */
export function List<P extends Page<unknown>, K extends QueryKey>({ page, columns, empty, minWidth = 640, rows = 5, footer, children }: ListProps<P, K>) {
  const [at, setAt] = useState('');
  const query = useQuery(page(at));
  return (
    <>
      <Loaded query={query} skeleton={<SkeletonRows rows={rows} />}>
        {(data) => {
          const items: readonly ItemOf<P>[] = data.items ?? [];
          if (items.length === 0 && at === '') {
            return (
              <EmptyState icon={empty.icon} title={empty.title}>
                {empty.text}
              </EmptyState>
            );
          }
          return (
            <>
              {items.length === 0 ? <p className="q-list-end">There is nothing more.</p> : <Rows columns={columns} minWidth={minWidth}>{children(items)}</Rows>}
              {footer?.(items)}
            </>
          );
        }}
      </Loaded>
      <Pager at={at} next={next(query.data)} onShow={setAt} />
    </>
  );
}

function next(page: Page<unknown> | undefined): string {
  const at = page?.next ?? '';
  return at === 0 ? '' : at.toString();
}

interface RowsProps {
  readonly columns: readonly Column[];
  readonly minWidth?: number;
  readonly children: ReactNode;
}

/** The table that every list is. */
export function Rows({ columns, minWidth = 640, children }: RowsProps) {
  return (
    <Table.ScrollContainer minWidth={minWidth}>
      <Table className="q-list" verticalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            {columns.map(({ label, number = false, silent = false, visibleFrom }) => (
              <Table.Th key={label} className={number ? 'q-number' : ''} {...(visibleFrom === undefined ? {} : { visibleFrom })}>
                {silent ? <span className="q-hidden-label">{label}</span> : label}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>{children}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
