import { useQuery } from '@tanstack/react-query';
import { overviewQuery } from '../../api/overview';
import { Loaded } from '../../parts/Loaded';
import { PageHeader } from '../../parts/PageHeader';
import { SkeletonBlock } from '../../parts/Skeletons';
import { HoldoutPanel } from './HoldoutPanel';
import { LiveDecisions } from './LiveDecisions';
import { MinutesPanel } from './MinutesPanel';
import { PipelinePanel } from './PipelinePanel';
import { TotalsRow } from './TotalsRow';

export function OverviewPage() {
  const overview = useQuery(overviewQuery);
  return (
    <>
      <PageHeader title="Overview" note="What is decided now, whether it arrives in the log, and whether it was worth making." />
      <div className="q-stack">
        <Loaded
          query={overview}
          skeleton={
            <div className="q-stack">
              <SkeletonBlock height={76} />
              <SkeletonBlock height={260} />
              <SkeletonBlock height={180} />
            </div>
          }
        >
          {(data) => (
            <>
              <TotalsRow overview={data} />
              <div className="q-columns">
                <MinutesPanel minutes={data.decisionsPerMinute ?? []} />
                <PipelinePanel overview={data} />
              </div>
              <HoldoutPanel holdout={data.holdout} />
            </>
          )}
        </Loaded>
        <LiveDecisions />
      </div>
    </>
  );
}
