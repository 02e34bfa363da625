import { useQuery } from '@tanstack/react-query';
import { IconChartBar } from '@tabler/icons-react';
import { Link, useParams } from 'react-router';
import { experimentQuery, reportQuery } from '../../api/experiments';
import type { Experiment, Report } from '../../api/types';
import { CopyButton } from '../../parts/CopyButton';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Status } from '../../parts/Status';
import { ArmsPanel } from './ArmsPanel';
import { ChecksPanel } from './ChecksPanel';
import { FailedChecks } from './FailedChecks';
import { MetricsPanel } from './MetricsPanel';
import { SqlPanel } from './SqlPanel';
import { StartStop } from './StartStop';
import { reportCsv } from './reportCsv';

// The universal holdout has a report, but no definition among the experiments.
const universalHoldout = 'universal-holdout';

export function ReportPage() {
  const { key = '' } = useParams();
  const defined = key !== universalHoldout;
  const experiment = useQuery({ ...experimentQuery(key), enabled: defined });
  const started = !defined || (experiment.data?.status !== undefined && experiment.data.status !== 'draft');
  const report = useQuery({
    ...reportQuery(key),
    enabled: started,
    refetchInterval: experiment.data?.status === 'running' ? 30_000 : false,
  });
  const body = started ? (
    <Loaded query={report} skeleton={<ReportSkeleton />}>
      {(data) => <ReportBody report={data} experiment={experiment.data} />}
    </Loaded>
  ) : (
    <NotStarted />
  );
  if (!defined) {
    return (
      <>
        <PageHeader
          parent={{ to: '/experiments', label: 'Experiments' }}
          title="Universal holdout"
          note="All advertising against none, for a fixed random share of people."
          actions={report.data !== undefined && <Copies report={report.data} />}
        />
        {body}
      </>
    );
  }
  return (
    <Loaded query={experiment} skeleton={<ReportSkeleton />}>
      {(data) => (
        <>
          <ReportHeader experiment={data} report={report.data} />
          {body}
        </>
      )}
    </Loaded>
  );
}

function ReportHeader({ experiment, report }: { readonly experiment: Experiment; readonly report: Report | undefined }) {
  const begun = experiment.status !== undefined && experiment.status !== 'draft';
  return (
    <PageHeader
      parent={{ to: '/experiments', label: 'Experiments' }}
      title={experiment.name ?? experiment.key}
      badges={<Status status={experiment.status} />}
      note={
        <>
          {experiment.hypothesis !== undefined && experiment.hypothesis !== '' && <>{experiment.hypothesis} </>}
          {experiment.decisionPoint !== undefined && experiment.decisionPoint !== '' && (
            <>
              On{' '}
              <Link className="q-link" to={`/decision-points/${encodeURIComponent(experiment.decisionPoint)}`}>
                {experiment.decisionPoint}
              </Link>
              {begun ? ', since ' : '.'}
              {begun && <Moment at={experiment.startedAt} />}
              {experiment.status === 'stopped' && (
                <>
                  {' '}
                  until <Moment at={experiment.stoppedAt} />
                </>
              )}
            </>
          )}
        </>
      }
      actions={
        <>
          {report !== undefined && <Copies report={report} />}
          <StartStop experiment={experiment} />
        </>
      }
    />
  );
}

function Copies({ report }: { readonly report: Report }) {
  return (
    <>
      <CopyButton label="Copy CSV" text={() => reportCsv(report)} />
      <CopyButton label="Copy JSON" text={() => JSON.stringify(report, null, 2)} />
    </>
  );
}

function ReportBody({ report, experiment }: { readonly report: Report; readonly experiment: Experiment | undefined }) {
  const checks = report.checks ?? [];
  return (
    <div className="q-stack">
      <FailedChecks checks={checks} />
      <div className="q-halves">
        <ChecksPanel checks={checks} />
        <ArmsPanel report={report} variants={experiment?.variants ?? []} />
      </div>
      <MetricsPanel report={report} />
      <SqlPanel sql={report.sql ?? []} />
    </div>
  );
}

function NotStarted() {
  return (
    <Panel>
      <EmptyState icon={<IconChartBar size={20} />} title="Not started yet">
        A draft assigns nobody. Once it is started, people are split by its weights and the report fills from the log.
      </EmptyState>
    </Panel>
  );
}

function ReportSkeleton() {
  return (
    <div className="q-stack">
      <SkeletonBlock height={56} />
      <SkeletonBlock height={150} />
      <SkeletonBlock height={320} />
    </div>
  );
}
