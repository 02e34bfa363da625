import { Button, Table } from '@mantine/core';
import { IconFlask } from '@tabler/icons-react';
import { useState } from 'react';
import { policyKeys, removeCandidate } from '../../api/policies';
import type { CandidateState, PolicyState } from '../../api/types';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { EmptyState } from '../../parts/EmptyState';
import { Rows } from '../../parts/List';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { policyText } from '../decision-points/policyText';
import { CandidateForm } from './CandidateForm';
import { ComparisonPanel } from './ComparisonPanel';

interface CandidatesPanelProps {
  readonly pointKey: string;
  readonly state: PolicyState;
}

const columns = [{ label: 'Candidate' }, { label: 'Policy' }, { label: 'Model' }, { label: 'What to do', silent: true }] as const;

/** Policies that are trained and scored beside the one that decides. */
export function CandidatesPanel({ pointKey, state }: CandidatesPanelProps) {
  const [adding, setAdding] = useState(false);
  const [shown, setShown] = useState('');
  const [leaving, setLeaving] = useState<CandidateState | null>(null);
  return (
    <>
      <Panel
        title="Candidates"
        note="Each is scored on every decision as it is made, without a part in it, and judged by what came of those decisions."
        flush
        actions={
          <ActionButton
            needs="define"
            onClick={() => {
              setAdding(true);
            }}
          >
            Add a candidate
          </ActionButton>
        }
      >
        {state.candidates.length === 0 ? (
          <EmptyState icon={<IconFlask size={20} />} title="No candidates">
            Add one to find out whether it would bring more, before it decides anything.
          </EmptyState>
        ) : (
          <Rows columns={columns}>
            {state.candidates.map((candidate) => (
              <Table.Tr key={candidate.key}>
                <Table.Td>
                  {candidate.name ?? candidate.key} {candidate.automatic === true && <Tag tone="accent">automatic</Tag>}
                  <span className="q-list-note q-mono">{candidate.key}</span>
                </Table.Td>
                <Table.Td>{policyText(candidate.policy)}</Table.Td>
                <Table.Td>{modelText(candidate)}</Table.Td>
                <Table.Td className="q-number">
                  <Button
                    size="compact-xs"
                    variant="default"
                    mr={6}
                    aria-expanded={shown === candidate.key}
                    onClick={() => {
                      setShown(shown === candidate.key ? '' : candidate.key);
                    }}
                  >
                    Compare
                  </Button>
                  <ActionButton
                    needs="define"
                    size="compact-xs"
                    variant="subtle"
                    color="red"
                    onClick={() => {
                      setLeaving(candidate);
                    }}
                  >
                    Remove
                  </ActionButton>
                </Table.Td>
              </Table.Tr>
            ))}
          </Rows>
        )}
      </Panel>
      {state.candidates.some((candidate) => candidate.key === shown) && <ComparisonPanel key={shown} pointKey={pointKey} candidate={shown} />}
      {adding && (
        <CandidateForm
          pointKey={pointKey}
          onClose={() => {
            setAdding(false);
          }}
        />
      )}
      {leaving !== null && (
        <Confirm
          title={`Remove ${leaving.name ?? leaving.key}?`}
          verb="Remove"
          run={() => {
            setShown(''); // or its comparison would be asked for once more
            return removeCandidate(pointKey, leaving.key);
          }}
          refresh={policyKeys(pointKey)}
          onClose={() => {
            setLeaving(null);
          }}
        >
          It is not scored any more. What it would have done so far is kept for half a year.
        </Confirm>
      )}
    </>
  );
}

function modelText({ model, ownModel, policy }: CandidateState): string {
  if (policy.type !== 'bandit') return 'needs none';
  if (model === undefined) return 'none yet';
  return `version ${model.version.toString()}, ${ownModel ? 'its own' : 'shared with the policy that decides'}`;
}
