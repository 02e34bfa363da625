import { Button, Table } from '@mantine/core';
import { useState } from 'react';
import { count, percent, probability } from '../../format/number';
import { ActionName } from '../../parts/ActionName';
import '../../parts/list-table.css';
import { otherBand, type ActionShare } from './activity';
import './share-table.css';

const firstRows = 10;

interface ShareTableProps {
  readonly shares: readonly ActionShare[];
  readonly colours: ReadonlyMap<string, string>;
}

/** The legend of the picture, with the figures of the whole span. */
export function ShareTable({ shares, colours }: ShareTableProps) {
  const [all, setAll] = useState(false);
  const shown = all ? shares : shares.slice(0, firstRows);
  const largest = shares[0]?.share ?? 1;
  return (
    <div className="q-panel-scroll">
      <Table className="q-shares">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Action</Table.Th>
            <Table.Th className="q-shares-bar">
              <span className="q-hidden-label">Share, drawn</span>
            </Table.Th>
            <Table.Th className="q-number">Share</Table.Th>
            <Table.Th className="q-number">Decisions</Table.Th>
            <Table.Th className="q-number" title="Mean over the decisions that took this action">
              Mean propensity
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {shown.map((each) => {
            const colour = colours.get(each.action) ?? colours.get(otherBand) ?? 'var(--q-other)';
            return (
              <Table.Tr key={each.action}>
                <Table.Td>
                  <span className="q-shares-swatch" style={{ background: colour }} aria-hidden="true" />
                  <ActionName action={each.action} />
                </Table.Td>
                <Table.Td>
                  <span className="q-shares-fill" style={{ width: `${((each.share / largest) * 100).toFixed(1)}%`, background: colour }} />
                </Table.Td>
                <Table.Td className="q-number">{percent(each.share)}</Table.Td>
                <Table.Td className="q-number">{count(each.decisions)}</Table.Td>
                <Table.Td className="q-number">{probability(each.meanPropensity)}</Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
      {shares.length > firstRows && (
        <Button
          variant="subtle"
          size="xs"
          onClick={() => {
            setAll(!all);
          }}
        >
          {all ? 'Show fewer' : `Show all ${shares.length.toString()} actions`}
        </Button>
      )}
    </div>
  );
}
