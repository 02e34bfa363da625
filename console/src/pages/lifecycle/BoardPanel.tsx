import { Table, UnstyledButton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconUsers } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { useSearchParams } from 'react-router';
import { boardQuery, tableQuery } from '../../api/lifecycle';
import type { Board, LifecycleRule, LifecycleTable, Place } from '../../api/types';
import { count, percent } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Figure, Figures } from '../../parts/Figure';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import '../../parts/list-table.css';
import { homeless, stageColumns, type StageColumn } from './columns';
import { DayPicker } from './DayPicker';
import { PlaceDrawer, type PlaceKind } from './PlaceDrawer';
import './board.css';

/** Stages as columns with their segments inside, and the losses below. */
export function BoardPanel() {
  const [parameters, setParameters] = useSearchParams();
  const day = parameters.get('at') ?? '';
  const board = useQuery(boardQuery(day));
  const table = useQuery(tableQuery);
  const [kind, key] = (parameters.get('place') ?? '').split(':');
  const set = (name: string, value: string) => {
    setParameters(
      (before) => {
        const next = new URLSearchParams(before);
        if (value === '') next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true },
    );
  };
  const open = (place: string) => {
    set('place', place);
  };
  return (
    <div className="q-lifecycle">
      <Loaded query={board} skeleton={<SkeletonBlock height={420} />}>
        {(data) => (
          <div className="q-lifecycle" aria-busy={board.isPlaceholderData} style={board.isPlaceholderData ? { opacity: 0.5 } : undefined}>
            <div className="q-board-head">
              <p className="q-muted">
                As of <Moment at={data.computedAt} as="day" />
                {day === '' ? ', the last computation' : ', computed from the events up to then'}. Spend is in the currency of the orders.
              </p>
              <DayPicker
                day={day}
                onChange={(next) => {
                  set('at', next);
                }}
              />
            </div>
            {data.people === 0 ? (
              <Panel>
                <EmptyState icon={<IconUsers size={20} />} title="Nobody was known">
                  {day === '' ? 'People appear with their first events, after the next computation.' : 'There were no events before the end of this day.'}
                </EmptyState>
              </Panel>
            ) : (
              <BoardBody board={data} table={table.data} onOpen={open} />
            )}
            <PlaceDrawer
              kind={(kind ?? '') as PlaceKind}
              placeKey={key ?? ''}
              board={data}
              table={table.data}
              past={day !== ''}
              onClose={() => {
                open('');
              }}
            />
          </div>
        )}
      </Loaded>
    </div>
  );
}

interface BoardBodyProps {
  readonly board: Board;
  readonly table: LifecycleTable | undefined;
  readonly onOpen: (place: string) => void;
}

function BoardBody({ board, table, onOpen }: BoardBodyProps) {
  const lost = homeless(board);
  return (
    <>
      <Figures>
        <Figure label="People" value={count(board.people)} />
        <Figure label="Customers" value={count(board.customers)} note={`${percent(board.people > 0 ? board.customers / board.people : 0)} have ordered`} />
        <Figure label="Spend" value={count(board.spend)} note="revenue less refunds" />
        <Figure label="Spend per customer" value={board.customers > 0 ? count(board.spend / board.customers) : '–'} />
      </Figures>
      <div className="q-stages">
        {stageColumns(board).map((column) => (
          <Stage key={column.stage.key} column={column} rules={table?.stages} people={board.people} onOpen={onOpen} />
        ))}
      </div>
      {lost.length > 0 && (
        <p className="q-muted">Nobody is in {lost.map((segment) => segment.name || segment.key).join(', ')}.</p>
      )}
      <Losses board={board} rules={table?.losses} onOpen={onOpen} />
    </>
  );
}

function description(rules: readonly LifecycleRule[] | null | undefined, key: string): string {
  return rules?.find((rule) => rule.key === key)?.description ?? '';
}

interface StageProps {
  readonly column: StageColumn;
  readonly rules: readonly LifecycleRule[] | null | undefined;
  readonly people: number;
  readonly onOpen: (place: string) => void;
}

function Stage({ column, rules, people, onOpen }: StageProps) {
  const { stage, segments } = column;
  return (
    <section className="q-stage" aria-label={`Stage ${stage.name || stage.key}`}>
      <UnstyledButton
        className="q-stage-head"
        onClick={() => {
          onOpen(`stage:${stage.key}`);
        }}
      >
        <span className="q-stage-name">{stage.name || stage.key}</span>
        <span className="q-stage-note">{description(rules, stage.key)}</span>
        <span className="q-stage-count">{count(stage.people)}</span>
        <Share share={stage.share}>{percent(stage.share)} of people</Share>
        <Share share={stage.spendShare}>
          {count(stage.spend)} spend, {percent(stage.spendShare)}
        </Share>
      </UnstyledButton>
      <ul className="q-stage-segments">
        {segments.map(({ segment, people: inside, whole }) => (
          <li key={segment.key}>
            <UnstyledButton
              className="q-segment"
              onClick={() => {
                onOpen(`segment:${segment.key}`);
              }}
            >
              <span className="q-segment-line">
                <span className="q-segment-name">{segment.name || segment.key}</span>
                <b>{count(inside)}</b>
              </span>
              <Share share={people > 0 ? inside / people : 0}>
                {percent(people > 0 ? inside / people : 0)}
                {whole ? segment.spend !== 0 && ` · ${count(segment.spend)} spend` : ` · of ${count(segment.people)} in all stages`}
              </Share>
            </UnstyledButton>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A share as a bar with its figures in words. */
function Share({ share, children }: { readonly share: number; readonly children: ReactNode }) {
  return (
    <span className="q-share">
      <span className="q-share-track" aria-hidden="true">
        <span className="q-share-fill" style={{ width: `${(Math.min(1, Math.max(0, share)) * 100).toFixed(2)}%` }} />
      </span>
      <span className="q-share-text">{children}</span>
    </span>
  );
}

interface LossesProps {
  readonly board: Board;
  readonly rules: readonly LifecycleRule[] | null | undefined;
  readonly onOpen: (place: string) => void;
}

function Losses({ board, rules, onOpen }: LossesProps) {
  return (
    <Panel title="Losses" note="Where people were lost on the way. Somebody may have several, or none. Spend is what these people spent so far." flush>
      {board.losses.length === 0 ? (
        <EmptyState icon={<IconUsers size={20} />} title="No losses are defined" />
      ) : (
        <Table className="q-list" highlightOnHover verticalSpacing={8}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Loss</Table.Th>
              <Table.Th className="q-number">People</Table.Th>
              <Table.Th className="q-number">Share</Table.Th>
              <Table.Th className="q-number">Orders</Table.Th>
              <Table.Th className="q-number">Spend</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {board.losses.map((loss: Place) => (
              <Table.Tr key={loss.key}>
                <Table.Td>
                  <UnstyledButton
                    className="q-place-link"
                    onClick={() => {
                      onOpen(`loss:${loss.key}`);
                    }}
                  >
                    <span className="q-list-title">{loss.name || loss.key}</span>
                    <span className="q-list-note">{description(rules, loss.key)}</span>
                  </UnstyledButton>
                </Table.Td>
                <Table.Td className="q-number">{count(loss.people)}</Table.Td>
                <Table.Td className="q-number">{percent(loss.share)}</Table.Td>
                <Table.Td className="q-number">{count(loss.orders)}</Table.Td>
                <Table.Td className="q-number">{count(loss.spend)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Panel>
  );
}

