import { Table } from '@mantine/core';
import { IconArrowUpRight } from '@tabler/icons-react';
import { useState } from 'react';
import { policyKeys, revertPolicy } from '../../api/policies';
import type { PolicyState } from '../../api/types';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { EmptyState } from '../../parts/EmptyState';
import { Rows } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { significant } from '../../format/number';
import { policyText } from '../decision-points/policyText';

interface PromotionsPanelProps {
  readonly pointKey: string;
  readonly state: PolicyState;
}

const columns = [{ label: 'Candidate' }, { label: 'Promoted' }, { label: 'Gain at least', number: true }, { label: 'From' }, { label: 'Until' }] as const;

/** What was promoted, by what figures, and what became of it. */
export function PromotionsPanel({ pointKey, state }: PromotionsPanelProps) {
  const [asking, setAsking] = useState(false);
  const open = state.promotions.find((promotion) => promotion.endedAt === undefined);
  return (
    <Panel
      title="Promotions"
      flush
      actions={
        open !== undefined && (
          <ActionButton
            needs="define"
            color="red"
            variant="light"
            onClick={() => {
              setAsking(true);
            }}
          >
            Go back
          </ActionButton>
        )
      }
    >
      {state.promotions.length === 0 ? (
        <EmptyState icon={<IconArrowUpRight size={20} />} title="Nothing was promoted yet" />
      ) : (
        <Rows columns={columns}>
          {state.promotions.map((promotion) => (
            <Table.Tr key={promotion.id}>
              <Table.Td>
                {promotion.candidate}
                <span className="q-list-note">{policyText(promotion.after)}</span>
              </Table.Td>
              <Table.Td>
                <Moment at={promotion.promotedAt} />
                <span className="q-list-note">
                  {promotion.actor}: {promotion.reason}
                </span>
              </Table.Td>
              <Table.Td className="q-number">{significant(promotion.checks.find((check) => check.name === 'gain')?.figure)}</Table.Td>
              <Table.Td>{policyText(promotion.before)}</Table.Td>
              <Table.Td>
                {promotion.endedAt === undefined ? (
                  'in force'
                ) : (
                  <>
                    <Moment at={promotion.endedAt} />
                    <span className="q-list-note">{promotion.endReason}</span>
                  </>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Rows>
      )}
      {asking && open !== undefined && (
        <Confirm
          title="Go back to the policy before?"
          verb="Go back"
          run={() => revertPolicy(pointKey, 0, 'gone back in the console')}
          refresh={policyKeys(pointKey)}
          onClose={() => {
            setAsking(false);
          }}
        >
          {policyText(open.before)} decides again from now on.
        </Confirm>
      )}
    </Panel>
  );
}
