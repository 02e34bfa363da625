import { NativeSelect, Table } from '@mantine/core';
import { useState } from 'react';
import type { Report } from '../../api/types';
import { count, noFigure, percent, significant } from '../../format/number';
import { Panel } from '../../parts/Panel';
import '../../parts/list-table.css';
import { type Box, boxOf, extent, place, quantile } from './distribution';
import './distribution.css';

/** How the values of a metric spread over the people of each arm who have one. */
export function DistributionPanel({ report }: { readonly report: Report }) {
  const [key, setKey] = useState('');
  const metrics = (report.metrics ?? []).filter(({ distribution }) => (distribution ?? []).some(({ people }) => people > 0));
  const metric = metrics.find((each) => each.key === key) ?? metrics[0];
  if (metric === undefined) return null;
  const spreads = metric.distribution ?? [];
  const boxes = spreads.map(boxOf);
  const within = extent(boxes);
  return (
    <Panel
      title="Distribution"
      note="Of people whose value is not zero. Bars reach from the tenth to the ninetieth percentile, their thick part from quartile to quartile, with the median marked."
      flush
      actions={
        metrics.length > 1 && (
          <NativeSelect size="xs" aria-label="Metric of the distribution" data={metrics.map((each) => ({ value: each.key, label: each.name ?? each.key }))} value={metric.key} onChange={(event) => { setKey(event.currentTarget.value); }} />
        )
      }
    >
      <Table className="q-list" withRowBorders>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Variant</Table.Th>
            <Table.Th className="q-number">People with a value</Table.Th>
            <Table.Th style={{ width: '40%' }}>{significant(within[0])} to {significant(within[1])}</Table.Th>
            <Table.Th className="q-number">Median</Table.Th>
            <Table.Th className="q-number">90%</Table.Th>
            <Table.Th className="q-number">99%</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {spreads.map((spread, index) => {
            const box = boxes[index];
            return (
              <Table.Tr key={spread.variant}>
                <Table.Td style={{ fontWeight: 550 }}>{spread.variant}</Table.Td>
                <Table.Td className="q-number">
                  {count(spread.people)} <span className="q-muted">{percent(spread.share, 1)}</span>
                </Table.Td>
                <Table.Td>{box === undefined ? <span className="q-muted">too few values</span> : <Bar box={box} within={within} variant={spread.variant} />}</Table.Td>
                <Table.Td className="q-number">{figure(quantile(spread, 0.5))}</Table.Td>
                <Table.Td className="q-number">{figure(quantile(spread, 0.9))}</Table.Td>
                <Table.Td className="q-number">{figure(quantile(spread, 0.99))}</Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Panel>
  );
}

function figure(value: number | undefined): string {
  return value === undefined ? noFigure : significant(value);
}

interface BarProps {
  readonly box: Box;
  readonly within: readonly [number, number];
  readonly variant: string;
}

function Bar({ box, within, variant }: BarProps) {
  const between = (from: number, to: number) => ({
    left: `${place(from, within).toFixed(2)}%`,
    width: `${(place(to, within) - place(from, within)).toFixed(2)}%`,
  });
  const words = `${variant}: tenth percentile ${significant(box.low)}, quartiles ${significant(box.lower)} and ${significant(box.upper)}, median ${significant(box.middle)}, ninetieth percentile ${significant(box.high)}`;
  return (
    <span className="q-spread" role="img" aria-label={words} title={words}>
      <span className="q-spread-range" style={between(box.low, box.high)} />
      <span className="q-spread-half" style={between(box.lower, box.upper)} />
      <span className="q-spread-median" style={{ left: `${place(box.middle, within).toFixed(2)}%` }} />
    </span>
  );
}
