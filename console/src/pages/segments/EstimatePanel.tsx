import { MultiSelect } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { SegmentEstimate } from '../../api/types';
import { count, percent } from '../../format/number';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import './rule.css';

interface EstimatePanelProps {
  readonly estimate: UseQueryResult<SegmentEstimate>;
  /** How many places are still to be filled in. */
  readonly open: number;
  /** Whether the service named the faults, which are shown where they are. */
  readonly refused: boolean;
  readonly segments: readonly { readonly value: string; readonly label: string }[];
  readonly overlapWith: readonly string[];
  readonly onOverlapWith: (keys: readonly string[]) => void;
}

/** How many people would be in the segment, while it is being built. */
export function EstimatePanel({ estimate, open, refused, segments, overlapWith, onOverlapWith }: EstimatePanelProps) {
  return (
    <Panel title="How many" note="People who fulfil the rule now.">
      <div aria-live="polite">
        {open > 0 ? (
          <p className="q-muted">
            {open === 1 ? 'One place' : `${open.toString()} places`} still to be filled in.
          </p>
        ) : refused ? (
          <p className="q-muted">The rule has a fault; it is shown at its condition.</p>
        ) : estimate.isError ? (
          <ProblemPanel error={estimate.error} retry={() => void estimate.refetch()} />
        ) : estimate.data === undefined ? (
          <SkeletonBlock height={64} />
        ) : (
          <Size estimate={estimate.data} />
        )}
      </div>
      <MultiSelect
        mt="md"
        label="Overlap with"
        placeholder={overlapWith.length === 0 ? 'Choose segments' : ''}
        data={[...segments]}
        value={[...overlapWith]}
        searchable
        maxValues={10}
        onChange={onOverlapWith}
      />
      {open === 0 && !refused && (estimate.data?.overlaps ?? []).length > 0 && (
        <table className="q-list" style={{ width: '100%', marginTop: 8 }}>
          <thead>
            <tr>
              <th style={{ textAlign: 'left', paddingLeft: 0 }}>Segment</th>
              <th className="q-number">In both</th>
              <th className="q-number">Of these</th>
            </tr>
          </thead>
          <tbody>
            {(estimate.data?.overlaps ?? []).map((overlap) => (
              <tr key={overlap.segment}>
                <td style={{ paddingLeft: 0 }}>{segments.find(({ value }) => value === overlap.segment)?.label ?? overlap.segment}</td>
                <td className="q-number">{count(overlap.size)}</td>
                <td className="q-number">{percent(overlap.share)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function Size({ estimate }: { readonly estimate: SegmentEstimate }) {
  const sampled = estimate.lower !== estimate.upper;
  return (
    <>
      <p className="q-estimate-size" data-testid="estimate">
        {sampled && <span className="q-muted">about </span>}
        {count(estimate.size)}
      </p>
      <div className="q-estimate-bar" aria-hidden="true">
        <span style={{ width: `${(estimate.share * 100).toString()}%` }} />
      </div>
      <p className="q-muted" style={{ margin: 0, fontSize: '0.78125rem' }}>
        {percent(estimate.share)} of {count(estimate.people)} people
        {sampled && (
          <>
            ; {count(estimate.lower)} to {count(estimate.upper)} with 95% confidence, from {count(estimate.sampled)} people looked at
          </>
        )}
        {estimate.method === 'clickhouse' && '; asked of the event log, about a second behind'}
      </p>
    </>
  );
}
