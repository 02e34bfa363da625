import { Table, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconCircleCheck, IconCircleX } from '@tabler/icons-react';
import { useState } from 'react';
import { comparisonQuery, policyKeys, promoteCandidate } from '../../api/policies';
import type { CandidateComparison } from '../../api/types';
import { IntervalAxis, IntervalMark } from '../../charts/IntervalMark';
import { intervalScale } from '../../charts/scale';
import { levelTick } from '../../format/effect';
import { count, decimalsFor, fixed, significant } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { Loaded } from '../../parts/Loaded';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { estimatorName } from './estimators';
import '../../parts/list-table.css';

interface ComparisonPanelProps {
  readonly pointKey: string;
  readonly candidate: string;
}

/** What a candidate would have brought, and whether the gate lets it pass. */
export function ComparisonPanel({ pointKey, candidate }: ComparisonPanelProps) {
  const query = useQuery(comparisonQuery(pointKey, candidate));
  const [asking, setAsking] = useState(false);
  const [reason, setReason] = useState('');
  return (
    <Panel
      title={`${candidate} beside the policy that decides`}
      note="Estimated from the probabilities that every decision was drawn with, by decisions whose outcomes are in."
      actions={
        <ActionButton
          needs="define"
          variant="filled"
          blocked={query.data === undefined ? 'The comparison is on its way.' : query.data.passes ? '' : 'The gate does not let it pass; the conditions say why.'}
          onClick={() => {
            setAsking(true);
          }}
        >
          Promote
        </ActionButton>
      }
    >
      <Loaded query={query} skeleton={<SkeletonBlock height={260} />}>
        {(data) => (
          <>
            <Gate comparison={data} />
            <Values comparison={data} />
          </>
        )}
      </Loaded>
      {asking && (
        <Confirm
          title={`Promote ${candidate}?`}
          verb="Promote"
          loses={false}
          run={() => promoteCandidate(pointKey, candidate, reason === '' ? 'promoted in the console' : reason)}
          refresh={policyKeys(pointKey)}
          onClose={() => {
            setAsking(false);
          }}
        >
          It becomes the policy of {pointKey}. Should the reward fall below what it was before, the policy of now comes back by itself.
          <TextInput
            mt="sm"
            label="Why"
            value={reason}
            maxLength={500}
            onChange={(event) => {
              setReason(event.currentTarget.value);
            }}
          />
        </Confirm>
      )}
    </Panel>
  );
}

function Gate({ comparison }: { readonly comparison: CandidateComparison }) {
  const { checks, report, scored, waiting } = comparison;
  return (
    <>
      <p className="q-panel-note">
        Scored on {count(scored)} decisions, of which {count(waiting)} still wait for their outcomes.
      </p>
      <Table className="q-list" aria-label="Conditions of a promotion" mb="md">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Condition</Table.Th>
            <Table.Th className="q-number">Is</Table.Th>
            <Table.Th className="q-number">Must be above</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {checks.map((check) => (
            <Table.Tr key={check.name}>
              <Table.Td>
                {check.passed ? (
                  <IconCircleCheck size={16} color="var(--q-better, green)" aria-label="met" style={{ verticalAlign: '-3px' }} />
                ) : (
                  <IconCircleX size={16} color="var(--q-worse, crimson)" aria-label="not met" style={{ verticalAlign: '-3px' }} />
                )}{' '}
                {check.text}
              </Table.Td>
              <Table.Td className="q-number">{significant(check.figure, 4)}</Table.Td>
              <Table.Td className="q-number">{significant(check.bound, 4)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {report.refusals.length > 0 && (
        <ul>
          {report.refusals.map((refusal) => (
            <li key={refusal}>{refusal}</li>
          ))}
        </ul>
      )}
    </>
  );
}

function Values({ comparison: { report, anytime } }: { readonly comparison: CandidateComparison }) {
  if (report.decisions < 2) return null;
  const rows = [
    { name: 'The policy that decides', ...report.logged },
    ...report.values.map((value) => ({ name: estimatorName(value.estimator), ...value })),
    { name: 'Gain, doubly robust', ...report.gain },
    { name: 'Gain, however often one looks', ...anytime },
  ];
  const scale = intervalScale(rows.map(({ value, lower, upper }) => ({ estimate: value, lower, upper })));
  return (
    <Table.ScrollContainer minWidth={640}>
      <Table className="q-list" aria-label="Estimates">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Estimate</Table.Th>
            <Table.Th className="q-number">Reward per decision</Table.Th>
            <Table.Th style={{ width: '48%' }}>95% interval</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(({ name, value, lower, upper }) => {
            const decimals = decimalsFor((upper - lower) / 2);
            const range = `${fixed(lower, decimals)} to ${fixed(upper, decimals)}`;
            return (
              <Table.Tr key={name}>
                <Table.Td>{name}</Table.Td>
                <Table.Td className="q-number">
                  {fixed(value, decimals)}
                  <span className="q-list-note">{range}</span>
                </Table.Td>
                <Table.Td>
                  <IntervalMark interval={{ estimate: value, lower, upper }} scale={scale} verdict="unclear" label={`${name}: ${fixed(value, decimals)}, 95% interval ${range}`} />
                </Table.Td>
              </Table.Tr>
            );
          })}
          <Table.Tr>
            <Table.Td colSpan={2} />
            <Table.Td>
              <IntervalAxis scale={scale} format={levelTick} />
            </Table.Td>
          </Table.Tr>
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
