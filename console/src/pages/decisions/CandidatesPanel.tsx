import { Button } from '@mantine/core';
import { IconListSearch } from '@tabler/icons-react';
import { useState } from 'react';
import type { Candidate, DecisionRecord } from '../../api/types';
import { probability, significant } from '../../format/number';
import { ActionName } from '../../parts/ActionName';
import { EmptyState } from '../../parts/EmptyState';
import { Panel } from '../../parts/Panel';
import { DrawStrip } from './DrawStrip';

const firstRows = 15;

interface CandidatesPanelProps {
  readonly record: DecisionRecord;
  readonly floor: number | undefined;
}

/** The eligible actions with the probability of each, and the draw that chose one. */
export function CandidatesPanel({ record, floor }: CandidatesPanelProps) {
  const candidates = record.candidates ?? [];
  const noun = candidates.length === 1 ? 'action was' : 'actions were';
  return (
    <Panel
      title="Candidates"
      note={
        candidates.length === 0
          ? undefined
          : `${candidates.length.toString()} ${noun} eligible. The whole distribution is computed first; then one number, made from the decision id, falls on it.`
      }
    >
      {candidates.length === 0 ? (
        <EmptyState icon={<IconListSearch size={20} />} title="No candidates">
          {record.eligible ? 'The policy did not weigh actions against each other.' : 'Nobody was to be addressed, so nothing was weighed.'}
        </EmptyState>
      ) : (
        <>
          <DrawStrip record={record} />
          <CandidateTable candidates={candidates} chosen={record.action} floor={floor} />
        </>
      )}
    </Panel>
  );
}

interface CandidateTableProps {
  readonly candidates: readonly Candidate[];
  readonly chosen: string;
  readonly floor: number | undefined;
}

function CandidateTable({ candidates, chosen, floor }: CandidateTableProps) {
  const [all, setAll] = useState(false);
  const sorted = [...candidates].sort((a, b) => b.probability - a.probability);
  // The chosen action is always shown, however unlikely it was.
  const shown = all ? sorted : sorted.filter((candidate, index) => index < firstRows || candidate.action === chosen);
  const largest = Math.max(sorted[0]?.probability ?? 1, floor ?? 0);
  const scored = candidates.some((candidate) => candidate.mean !== undefined);
  const width = (value: number) => `${((value / largest) * 100).toFixed(2)}%`;
  return (
    <div className="q-panel-scroll">
      <table className="q-candidates">
        <thead>
          <tr>
            <th scope="col">Action</th>
            <th scope="col" className="q-candidates-plot">
              Probability
              {floor !== undefined && <> · dashed line: floor {probability(floor)}, kept for exploring</>}
            </th>
            <th scope="col" className="q-number">
              <span className="q-hidden-label">Probability, figure</span>
            </th>
            {scored && (
              <th scope="col" className="q-number" title="Mean and standard deviation of the belief about the reward, for this person and moment">
                Expected reward ± sd
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {shown.map((candidate) => (
            <tr key={candidate.action} className={candidate.action === chosen ? 'q-candidates-chosen' : ''}>
              <td>
                <ActionName action={candidate.action} />
                {candidate.action === chosen && <span className="q-candidates-tag">chosen</span>}
              </td>
              <td>
                <div className="q-candidates-bar">
                  <span className="q-candidates-fill" style={{ width: width(candidate.probability) }} />
                  {floor !== undefined && <span className="q-candidates-floor" style={{ left: width(floor) }} />}
                </div>
              </td>
              <td className="q-number">{probability(candidate.probability)}</td>
              {scored && (
                <td className="q-number q-muted">
                  {significant(candidate.mean)} ± {significant(candidate.sd, 2)}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {sorted.length > firstRows && (
        <Button
          variant="subtle"
          size="xs"
          mt={6}
          onClick={() => {
            setAll(!all);
          }}
        >
          {all ? 'Show fewer' : `Show all ${sorted.length.toString()} candidates`}
        </Button>
      )}
    </div>
  );
}
