import { SegmentedControl, Table, UnstyledButton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconGridDots } from '@tabler/icons-react';
import { useState } from 'react';
import { useSearchParams } from 'react-router';
import { boardQuery, rfmQuery, tableQuery } from '../../api/lifecycle';
import type { Board, LifecycleTable, RfmGrid } from '../../api/types';
import { count, percent } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock, SkeletonRows } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import { DayPicker } from './DayPicker';
import { PlaceDrawer } from './PlaceDrawer';
import { RfmHeat } from './RfmHeat';
import { codesBySegment, scores } from './rfm';
import './rfm.css';

/** Customers by recency, frequency and spend, and the segments that the codes are called. */
export function RfmPanel() {
  const [parameters, setParameters] = useSearchParams();
  const day = parameters.get('at') ?? '';
  const grid = useQuery(rfmQuery(day));
  const board = useQuery(boardQuery(day));
  const table = useQuery(tableQuery);
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
  return (
    <div className="q-lifecycle">
      <div className="q-board-head">
        <p className="q-muted">
          {grid.data !== undefined && (
            <>
              {count(grid.data.customers)} customers as of <Moment at={grid.data.computedAt} />. People who never ordered have no scores.
            </>
          )}
        </p>
        <DayPicker
          day={day}
          onChange={(next) => {
            set('at', next);
          }}
        />
      </div>
      <Loaded query={grid} skeleton={<SkeletonBlock height={420} />}>
        {(data) =>
          data.customers === 0 ? (
            <Panel>
              <EmptyState icon={<IconGridDots size={20} />} title="Nobody has ordered yet">
                Scores compare customers by their last order, number of orders and spend.
              </EmptyState>
            </Panel>
          ) : (
            <GridPanel grid={data} />
          )
        }
      </Loaded>
      <Panel
        title="RFM segments"
        note="Boxes of scores, asked in their order: the first that holds a code names it. Shares are of customers and of the spend of everybody."
        flush
      >
        <Loaded query={board} skeleton={<SkeletonRows rows={8} />}>
          {(data) => (
            <>
              <SegmentTable
                board={data}
                grid={grid.data}
                table={table.data}
                onOpen={(key) => {
                  set('segment', key);
                }}
              />
              <PlaceDrawer
                kind="rfm"
                placeKey={parameters.get('segment') ?? ''}
                board={data}
                table={table.data}
                past={day !== ''}
                onClose={() => {
                  set('segment', '');
                }}
              />
            </>
          )}
        </Loaded>
      </Panel>
    </div>
  );
}

function GridPanel({ grid }: { readonly grid: RfmGrid }) {
  const [monetary, setMonetary] = useState('all');
  const [shown, setShown] = useState<'people' | 'spend'>('people');
  return (
    <Panel
      title="Recency by frequency"
      note="The upper right ordered lately and often. A stronger fill means more; arrow keys go from cell to cell."
      actions={
        <SegmentedControl
          size="xs"
          aria-label="Shade by"
          value={shown}
          onChange={(value) => {
            setShown(value === 'spend' ? 'spend' : 'people');
          }}
          data={[
            { value: 'people', label: 'Shade by people' },
            { value: 'spend', label: 'By spend' },
          ]}
        />
      }
    >
      <div className="q-rfm-filter">
        <span id="rfm-monetary" className="q-muted">
          Spend score
        </span>
        <SegmentedControl
          size="xs"
          aria-labelledby="rfm-monetary"
          value={monetary}
          onChange={setMonetary}
          data={[{ value: 'all', label: 'All' }, ...scores.map((score) => ({ value: score.toString(), label: score.toString() }))]}
        />
      </div>
      <RfmHeat grid={grid} monetary={monetary === 'all' ? null : Number(monetary)} shade={shown} />
    </Panel>
  );
}

interface SegmentTableProps {
  readonly board: Board;
  readonly grid: RfmGrid | undefined;
  readonly table: LifecycleTable | undefined;
  readonly onOpen: (key: string) => void;
}

function span({ min, max }: { readonly min: number; readonly max: number }): string {
  return min === max ? min.toString() : `${min.toString()}–${max.toString()}`;
}

function SegmentTable({ board, grid, table, onOpen }: SegmentTableProps) {
  const codes = codesBySegment(grid?.codes ?? []);
  const unreachable = new Set(table?.unreachable ?? []);
  const boxes = new Map((table?.rfm?.segments ?? []).map((box) => [box.key, box]));
  const unreachableNames = board.rfmSegments.filter((segment) => unreachable.has(segment.key)).map((segment) => segment.name || segment.key);
  return (
    <>
      <Table className="q-list" verticalSpacing={7}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Segment</Table.Th>
            <Table.Th>R</Table.Th>
            <Table.Th>F</Table.Th>
            <Table.Th>M</Table.Th>
            <Table.Th className="q-number">Customers</Table.Th>
            <Table.Th className="q-number">Share</Table.Th>
            <Table.Th className="q-number">Spend</Table.Th>
            <Table.Th className="q-number">Share of spend</Table.Th>
            <Table.Th>Codes that somebody has</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {board.rfmSegments.map((segment) => {
            const box = boxes.get(segment.key);
            const held = codes.get(segment.key) ?? [];
            return (
              <Table.Tr key={segment.key}>
                <Table.Td className="q-list-plain">
                  <UnstyledButton
                    className="q-rfm-name"
                    onClick={() => {
                      onOpen(segment.key);
                    }}
                  >
                    {segment.name || segment.key}
                  </UnstyledButton>{' '}
                  {unreachable.has(segment.key) && (
                    <Tag tone="warning" title="Earlier boxes hold all of its codes">
                      unreachable
                    </Tag>
                  )}
                </Table.Td>
                {box === undefined ? (
                  <Table.Td colSpan={3} className="q-muted">
                    the rest
                  </Table.Td>
                ) : (
                  <>
                    <Table.Td className="q-list-plain">{span(box.recency)}</Table.Td>
                    <Table.Td className="q-list-plain">{span(box.frequency)}</Table.Td>
                    <Table.Td className="q-list-plain">{span(box.monetary)}</Table.Td>
                  </>
                )}
                <Table.Td className="q-number">{count(segment.people)}</Table.Td>
                <Table.Td className="q-number">{percent(segment.share)}</Table.Td>
                <Table.Td className="q-number">{count(segment.spend)}</Table.Td>
                <Table.Td className="q-number">{percent(segment.spendShare)}</Table.Td>
                <Table.Td className="q-rfm-codes">
                  {held.map((code) => (
                    <span key={code.code} title={`${count(code.people)} customers, spend ${count(code.spend)}`}>
                      {code.code}
                    </span>
                  ))}
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
      {unreachableNames.length > 0 && (
        <p className="q-rfm-note">
          No code can be called {unreachableNames.join(', ')}: boxes before them hold all of their codes. Put them earlier in the table (
          <code>PUT /v1/lifecycle</code>) to have them used.
        </p>
      )}
    </>
  );
}
