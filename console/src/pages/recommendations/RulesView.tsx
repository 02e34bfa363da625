import { Table } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { IconAdjustments, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { deletePlacement, placementsPage, type PlacementRow } from '../../api/recommendations';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { ruleWords } from './ruleDraft';

const columns: readonly Column[] = [{ label: 'Placement' }, { label: 'Rules' }, { label: 'Changed' }, { label: 'Actions', silent: true }];

/** The placements with their rules. */
export function RulesView() {
  const [deleting, setDeleting] = useState<PlacementRow | null>(null);
  const queries = useQueryClient();
  return (
    <Panel
      title="Rules of placements"
      note="Without rules the kinds home, product, cart, email and search stand for themselves: what is sold out or outside its window is never shown."
      actions={
        <ActionButton needs="define" to="/recommendations/rules/new" leftSection={<IconPlus size={14} />}>
          New placement
        </ActionButton>
      }
      flush
    >
      <List page={placementsPage} columns={columns} minWidth={620} rows={3} empty={{ icon: <IconAdjustments size={20} />, title: 'No rules yet', text: 'A placement pins, boosts or buries items, leaves out categories and prices, and sets the goal.' }}>
        {(rows) =>
          rows.map((row) => (
            <Table.Tr key={row.key}>
              <Table.Td>
                <Link className="q-quiet" to={`/recommendations/rules/${encodeURIComponent(row.key)}`}>
                  <span className="q-list-title">{row.name ?? row.key}</span>
                  <span className="q-list-note q-mono">
                    {row.key} · {row.kind}
                  </span>
                </Link>
              </Table.Td>
              <Table.Td>{ruleWords(row)}</Table.Td>
              <Table.Td>
                <Moment at={row.updatedAt} as="ago" />
                <span className="q-list-note">version {row.version}</span>
              </Table.Td>
              <Table.Td ta="right">
                <ActionButton needs="define" size="compact-xs" variant="default" onClick={() => { setDeleting(row); }}>
                  Delete<span className="q-hidden-label"> {row.key}</span>
                </ActionButton>
              </Table.Td>
            </Table.Tr>
          ))
        }
      </List>
      {deleting !== null && (
        <Confirm
          title={`Delete ${deleting.name ?? deleting.key}?`}
          verb="Delete"
          run={() => deletePlacement(deleting.key, deleting.version)}
          refresh={[['placements']]}
          onDone={() => { void queries.invalidateQueries({ queryKey: ['recommenders'] }); }}
          onClose={() => { setDeleting(null); }}
        >
          Requests for it are refused from then on, and offers with this slot have no items.
        </Confirm>
      )}
    </Panel>
  );
}
