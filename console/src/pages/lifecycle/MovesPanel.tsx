import { ActionIcon, SegmentedControl, Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconArrowsRightLeft, IconChevronLeft, IconChevronRight } from '@tabler/icons-react';
import type { CSSProperties } from 'react';
import { useSearchParams } from 'react-router';
import { movesQuery, tableQuery, type MovesBy } from '../../api/lifecycle';
import type { LifecycleTable, MovesOfMonth } from '../../api/types';
import { count, percent } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Figure, Figures } from '../../parts/Figure';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { heat } from './rfm';
import { biggestMoves, matrixOf, monthBefore, monthWords, type End, type Matrix } from './moves';
import './moves.css';

const monthsBack = 36;
const namedMoves = 6;

function isBy(value: string | null): value is MovesBy {
  return value === 'segment' || value === 'stage' || value === 'rfm';
}

/** Who went from where to where in a month. */
export function MovesPanel() {
  const [parameters, setParameters] = useSearchParams();
  const current = new Date().toISOString().slice(0, 7);
  const asked = parameters.get('month') ?? '';
  const month = /^\d{4}-(0[1-9]|1[0-2])$/.test(asked) && asked <= current ? asked : current;
  const askedBy = parameters.get('by');
  const by: MovesBy = isBy(askedBy) ? askedBy : 'stage';
  const show = (next: { month?: string; by?: string }) => {
    setParameters({ month, by, ...next }, { replace: true });
  };
  const moves = useQuery(movesQuery(month, by));
  const table = useQuery(tableQuery);
  const months = Array.from({ length: monthsBack }, (_, back) => monthBefore(current, back));
  if (!months.includes(month)) months.push(month);
  return (
    <div className="q-lifecycle">
      <div className="q-choices">
        <div className="q-day">
          <ActionIcon
            variant="default"
            size={30}
            aria-label="The month before"
            onClick={() => {
              show({ month: monthBefore(month, 1) });
            }}
          >
            <IconChevronLeft size={16} />
          </ActionIcon>
          <Select
            size="xs"
            w={160}
            aria-label="Month"
            allowDeselect={false}
            data={months.map((value) => ({ value, label: monthWords(value) }))}
            value={month}
            onChange={(value) => {
              if (value !== null) show({ month: value });
            }}
          />
          <ActionIcon
            variant="default"
            size={30}
            aria-label="The month after"
            disabled={month >= current}
            onClick={() => {
              show({ month: monthBefore(month, -1) });
            }}
          >
            <IconChevronRight size={16} />
          </ActionIcon>
        </div>
        <SegmentedControl
          size="xs"
          aria-label="Moves between"
          value={by}
          onChange={(value) => {
            show({ by: value });
          }}
          data={[
            { value: 'stage', label: 'Stages' },
            { value: 'segment', label: 'Segments' },
            { value: 'rfm', label: 'RFM segments' },
          ]}
        />
      </div>
      <Loaded query={moves} skeleton={<SkeletonBlock height={420} />}>
        {(data) => (
          <div className="q-lifecycle" aria-busy={moves.isPlaceholderData} style={moves.isPlaceholderData ? { opacity: 0.5 } : undefined}>
            {data === null || data.moves.length === 0 ? (
              <Panel>
                <EmptyState icon={<IconArrowsRightLeft size={20} />} title="Nobody was known in this month">
                  Moves are computed from the events as of both ends of the month.
                </EmptyState>
              </Panel>
            ) : (
              <Month data={data} places={placesOf(table.data, by)} by={by} />
            )}
          </div>
        )}
      </Loaded>
    </div>
  );
}

/** The places in the order of a customer's life, worst to best for those that have one. */
function placesOf(table: LifecycleTable | undefined, by: MovesBy): readonly End[] {
  const named = (list: readonly { readonly key: string; readonly name?: string }[] | null | undefined) =>
    (list ?? []).map(({ key, name }) => ({ key, name: name ?? key }));
  if (table === undefined) return [];
  if (by === 'rfm') return [...named(table.rfm?.segments), { key: table.rfm?.other ?? 'other', name: 'Other' }];
  return named(by === 'stage' ? table.stages : table.segments).toReversed();
}

interface MonthProps {
  readonly data: MovesOfMonth;
  readonly places: readonly End[];
  readonly by: MovesBy;
}

function Month({ data, places, by }: MonthProps) {
  const outside = by === 'rfm' ? 'Not a customer' : 'Not there yet';
  const matrix = matrixOf(data.moves, places, outside);
  const names = new Map(places.map((place) => [place.key, place.name]));
  const name = (key: string) => (key === '' ? outside.toLowerCase() : (names.get(key) ?? key));
  const biggest = biggestMoves(data.moves, namedMoves);
  const there = matrix.total - matrix.arrived;
  return (
    <>
      <Figures>
        <Figure label="Moved" value={count(matrix.moved)} note={there > 0 ? `${percent(matrix.moved / there)} of those there at the start` : undefined} />
        <Figure label="Stayed" value={count(matrix.stayed)} />
        <Figure label={by === 'rfm' ? 'Ordered first' : 'Came new'} value={count(matrix.arrived)} />
        <Figure label="People at the end" value={count(matrix.total)} />
      </Figures>
      <Panel
        title={`Biggest moves of ${monthWords(data.month)}`}
        note={
          <>
            From <Moment at={data.from} /> to <Moment at={data.to} />, by the rules of today.
          </>
        }
      >
        {biggest.length === 0 ? (
          <p className="q-muted q-moves-none">Nobody who was there changed place.</p>
        ) : (
          <ol className="q-moves">
            {biggest.map(({ from, to, people }) => (
              <li key={`${from}→${to}`}>
                <b>{count(people)}</b> went from <b>{name(from)}</b> to <b>{name(to)}</b>
                <span className="q-muted">
                  , {percent(people / (matrix.rowTotals.get(from) ?? people))} of those who were at {name(from)}
                </span>
              </li>
            ))}
          </ol>
        )}
      </Panel>
      <Panel title="From where to where" note="A row is where people were at the start of the month, a column where they were at its end. The diagonal stayed." flush>
        <MoveTable matrix={matrix} />
      </Panel>
    </>
  );
}

function MoveTable({ matrix }: { readonly matrix: Matrix }) {
  return (
    <table className="q-matrix">
      <caption className="q-hidden-label">People by where they were at the start and at the end of the month</caption>
      <thead>
        <tr>
          <th scope="col">From \ to</th>
          {matrix.columns.map((to) => (
            <th key={to.key} scope="col" className="q-matrix-to">
              {to.name}
            </th>
          ))}
          <th scope="col" className="q-matrix-to q-matrix-total">
            At the start
          </th>
        </tr>
      </thead>
      <tbody>
        {matrix.rows.map((from) => (
          <tr key={from.key}>
            <th scope="row">{from.name}</th>
            {matrix.columns.map((to) => (
              <MoveCell key={to.key} people={matrix.people(from.key, to.key)} stayed={from.key === to.key} most={matrix.most} title={`${from.name} to ${to.name}`} />
            ))}
            <td className="q-number q-matrix-total">{count(matrix.rowTotals.get(from.key) ?? 0)}</td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">At the end</th>
          {matrix.columns.map((to) => (
            <td key={to.key} className="q-number q-matrix-total">
              {count(matrix.columnTotals.get(to.key) ?? 0)}
            </td>
          ))}
          <td className="q-number q-matrix-total">{count(matrix.total)}</td>
        </tr>
      </tfoot>
    </table>
  );
}

interface MoveCellProps {
  readonly people: number;
  readonly stayed: boolean;
  readonly most: number;
  readonly title: string;
}

function MoveCell({ people, stayed, most, title }: MoveCellProps) {
  if (people === 0) return <td className={`q-number q-faint${stayed ? ' q-matrix-stayed' : ''}`}>·</td>;
  if (stayed) {
    return (
      <td className="q-number q-matrix-stayed" title={`Stayed: ${title}`}>
        {count(people)}
      </td>
    );
  }
  return (
    <td className="q-number q-heat" style={{ '--heat': heat(people, most).toFixed(3) } as CSSProperties} title={title}>
      {count(people)}
    </td>
  );
}
