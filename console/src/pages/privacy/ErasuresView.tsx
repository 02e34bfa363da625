import { Button, Table } from '@mantine/core';
import { IconEraser } from '@tabler/icons-react';
import { useState } from 'react';
import { erasuresQuery } from '../../api/privacy';
import type { Erasure } from '../../api/types';
import { count } from '../../format/number';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { ProofDrawer } from './ProofDrawer';
import { erasureSteps, modeWords, stepTones, stepWords } from './words';

const columns: readonly Column[] = [
  { label: 'Asked for' },
  { label: 'How far' },
  { label: 'What was done' },
  { label: 'Reason' },
  { label: 'Refused identifiers', number: true },
  { label: 'Proof', silent: true },
];

/** Erasures with how far they are. */
export function ErasuresView() {
  const [opened, setOpened] = useState<Erasure | null>(null);
  return (
    <Panel title="Erasures" note="They name nobody: that is what they are for. Each goes on by itself, after a restart too." flush>
      <List
        page={erasuresQuery}
        columns={columns}
        minWidth={820}
        empty={{ icon: <IconEraser size={20} />, title: 'Nobody was erased', text: 'A person is erased from their page, or by the command quintet erase.' }}
      >
        {(erasures) =>
          erasures.map((erasure) => (
            <Table.Tr key={erasure.id}>
              <Table.Td className="q-list-plain">
                <Moment at={erasure.requestedAt} />
                <span className="q-list-note">by {erasure.requestedBy}</span>
              </Table.Td>
              <Table.Td style={{ maxWidth: 340 }}>
                <Tag tone={stepTones[erasure.status]}>{erasure.status}</Tag> <Steps status={erasure.status} />
                <span className="q-list-note">{stepWords[erasure.status]}</span>
                {erasure.error !== undefined && erasure.error !== '' && (
                  <span className="q-list-note">
                    <Tag tone="worse">tried {erasure.attempts} times</Tag> {erasure.error}
                  </span>
                )}
              </Table.Td>
              <Table.Td>
                {modeWords[erasure.mode]}
                {erasure.profiles > 1 && <span className="q-list-note">{count(erasure.profiles)} joined profiles</span>}
              </Table.Td>
              <Table.Td style={{ maxWidth: 260 }}>{erasure.reason === undefined || erasure.reason === '' ? <span className="q-faint">none given</span> : erasure.reason}</Table.Td>
              <Table.Td className="q-number">{count(erasure.identifiers)}</Table.Td>
              <Table.Td ta="right">
                {erasure.status === 'done' && (
                  <Button
                    size="compact-xs"
                    variant="default"
                    onClick={() => {
                      setOpened(erasure);
                    }}
                  >
                    Proof<span className="q-hidden-label"> of {erasure.id}</span>
                  </Button>
                )}
              </Table.Td>
            </Table.Tr>
          ))
        }
      </List>
      {opened !== null && (
        <ProofDrawer
          erasure={opened}
          onClose={() => {
            setOpened(null);
          }}
        />
      )}
    </Panel>
  );
}

function Steps({ status }: { readonly status: Erasure['status'] }) {
  const now = erasureSteps.indexOf(status);
  return (
    <span className="q-steps" role="img" aria-label={`Step ${(now + 1).toString()} of ${erasureSteps.length.toString()}`}>
      {erasureSteps.map((step, index) => (
        <span key={step} className={index < now || status === 'done' ? 'q-step q-step-done' : index === now ? 'q-step q-step-now' : 'q-step'} />
      ))}
    </span>
  );
}
