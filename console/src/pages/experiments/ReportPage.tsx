import { Button, Menu } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconChartBar, IconDownload } from '@tabler/icons-react';
import { Link, useParams } from 'react-router';
import { experimentQuery, reportFile, reportFormats, reportQuery } from '../../api/experiments';
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
import { AssignmentPanel } from './AssignmentPanel';
import { ChangesPanel } from './ChangesPanel';
import { DimensionPanel } from './DimensionPanel';
import { DistributionPanel } from './DistributionPanel';
import { FailedChecks } from './FailedChecks';
import { GuardrailsPanel } from './GuardrailsPanel';
import { Lifecycle } from './Lifecycle';
import { MetricsPanel } from './MetricsPanel';
import { PlanPanel } from './PlanPanel';
import { RecommendationPanel } from './RecommendationPanel';
import { SeriesPanel } from './SeriesPanel';
import { SqlPanel } from './SqlPanel';
import { reportCsv } from './reportCsv';
import { isStanding, standingWords } from './standing';

export function ReportPage() {
  const { key = '' } = useParams();
  const defined = !isStanding(key);
  const experiment = useQuery({ ...experimentQuery(key), enabled: defined });
  const started = !defined || experiment.data?.startedAt !== undefined;
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
    <div className="q-stack">
      <NotStarted />
      {experiment.data !== undefined && <ChangesPanel experiment={key} />}
    </div>
  );
  if (!defined) {
    return (
      <>
        <PageHeader
          {...standingWords(key)}
          title={report.data?.name ?? (key === 'universal-holdout' ? 'Universal holdout' : key)}
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
  const begun = experiment.startedAt !== undefined;
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
          <Lifecycle experiment={experiment} />
        </>
      }
    />
  );
}

function Copies({ report }: { readonly report: Report }) {
  return (
    <>
      <CopyButton label="Copy CSV" text={() => reportCsv(report)} />
      <Menu position="bottom-end">
        <Menu.Target>
          <Button size="xs" variant="default" leftSection={<IconDownload size={14} />}>
            Export
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {reportFormats.map(({ value, label }) => (
            <Menu.Item key={value} component="a" href={reportFile(report.experiment, value)} download={`${report.experiment}.${value === 'markdown' ? 'md' : value}`}>
              {label}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    </>
  );
}

function ReportBody({ report, experiment }: { readonly report: Report; readonly experiment: Experiment | undefined }) {
  const checks = report.checks ?? [];
  return (
    <div className="q-stack">
      <FailedChecks checks={checks} />
      {report.checksPassed && <RecommendationPanel report={report} />}
      <div className="q-halves">
        <ChecksPanel checks={checks} />
        <ArmsPanel report={report} variants={experiment?.variants ?? []} />
      </div>
      <MetricsPanel report={report} />
      <GuardrailsPanel report={report} />
      <SeriesPanel report={report} />
      <DistributionPanel report={report} />
      <PlanPanel report={report} />
      {experiment !== undefined && <DimensionPanel report={report} />}
      {experiment !== undefined && <AssignmentPanel experiment={experiment.key} />}
      <SqlPanel sql={report.sql ?? []} />
      {experiment !== undefined && <ChangesPanel experiment={experiment.key} />}
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
