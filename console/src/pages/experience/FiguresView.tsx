import { SegmentedControl, Select, Table, TextInput } from '@mantine/core';
import { useQueries, useQuery } from '@tanstack/react-query';
import { IconHeartHandshake } from '@tabler/icons-react';
import { useEffect, useMemo, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { experienceQuery, metricKeys, periodKeys, type MetricKey, type PeriodKey, type ReportChoice } from '../../api/experience';
import { tableQuery } from '../../api/lifecycle';
import type { ExperienceReport, LifecycleTable } from '../../api/types';
import { LazyChart } from '../../charts/LazyChart';
import { usePalette } from '../../charts/usePalette';
import { count } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import { experienceOption } from './chartOption';
import { CohortPanel } from './CohortPanel';
import { defaultRange, intervalWords, isDay, latestRows, metricShapes, partsWords, periodWords, valueWords } from './metrics';

const periodLabels: Readonly<Record<PeriodKey, string>> = { day: 'Days', week: 'Weeks', month: 'Months' };

/** All metrics in short, and one of them period by period. */
export function FiguresView() {
  const [parameters, setParameters] = useSearchParams();
  const metric: MetricKey = metricKeys.find((each) => each === parameters.get('metric')) ?? 'nps';
  const period: PeriodKey = periodKeys.find((each) => each === parameters.get('period')) ?? 'month';
  const usual = defaultRange(period, new Date());
  const asked = (name: 'from' | 'to') => {
    const text = parameters.get(name) ?? '';
    return isDay(text) ? text : usual[name];
  };
  const choice: ReportChoice = { from: asked('from'), to: asked('to'), period, segment: parameters.get('segment') ?? '' };
  const set = (change: Readonly<Record<string, string>>) => {
    setParameters(
      (before) => {
        const next = new URLSearchParams(before);
        for (const [name, value] of Object.entries(change)) {
          if (value === '') next.delete(name);
          else next.set(name, value);
        }
        return next;
      },
      { replace: true },
    );
  };
  const linkTo = (key: MetricKey) => {
    const next = new URLSearchParams(parameters);
    next.set('metric', key);
    return `/experience?${next.toString()}`;
  };
  return (
    <div className="q-experience">
      <Choices choice={choice} onChange={set} />
      <MetricCards chosen={metric} choice={choice} linkTo={linkTo} />
      <MetricPanel metric={metric} choice={choice} />
    </div>
  );
}

interface ChoicesProps {
  readonly choice: ReportChoice;
  readonly onChange: (change: Readonly<Record<string, string>>) => void;
}

function Choices({ choice, onChange }: ChoicesProps) {
  const table = useQuery(tableQuery);
  return (
    <div className="q-experience-choices">
      <SegmentedControl
        size="xs"
        aria-label="Period"
        value={choice.period}
        onChange={(value) => {
          onChange({ period: value, from: '', to: '' });
        }}
        data={periodKeys.map((value) => ({ value, label: periodLabels[value] }))}
      />
      <DayField
        label="From"
        day={choice.from}
        onChange={(from) => {
          onChange({ from });
        }}
      />
      <DayField
        label="To"
        day={choice.to}
        onChange={(to) => {
          onChange({ to });
        }}
      />
      <Select
        size="xs"
        w={230}
        aria-label="Segment"
        placeholder="Everybody"
        clearable
        searchable
        value={choice.segment === '' ? null : choice.segment}
        data={segmentChoices(table.data)}
        onChange={(value) => {
          onChange({ segment: value ?? '' });
        }}
      />
      {choice.segment !== '' && <span className="q-muted">Of those who are there now.</span>}
    </div>
  );
}

function segmentChoices(table: LifecycleTable | undefined) {
  if (table === undefined) return [];
  const named = (prefix: string, list: readonly { readonly key: string; readonly name?: string }[] | null | undefined) =>
    (list ?? []).map(({ key, name }) => ({ value: prefix + key, label: name ?? key }));
  return [
    { group: 'Stages', items: named('stage:', table.stages) },
    { group: 'Lifecycle segments', items: named('', table.segments) },
    { group: 'RFM segments', items: [...named('rfm:', table.rfm?.segments), { value: `rfm:${table.rfm?.other ?? 'other'}`, label: 'Other' }] },
  ];
}

interface DayFieldProps {
  readonly label: string;
  readonly day: string;
  readonly onChange: (day: string) => void;
}

function DayField({ label, day, onChange }: DayFieldProps) {
  const [text, setText] = useState(day);
  useEffect(() => {
    setText(day);
  }, [day]);
  return (
    <div className="q-experience-day">
      <span className="q-muted" aria-hidden="true">
        {label}
      </span>
      <TextInput
        type="date"
        size="xs"
        aria-label={label}
        value={text}
        error={!isDay(text)}
        onChange={(event) => {
          const next = event.currentTarget.value;
          setText(next);
          // Years are typed digit by digit, and 0002 is one on the way to 2026.
          if (isDay(next) && next >= '1971') onChange(next);
        }}
      />
    </div>
  );
}

interface MetricCardsProps {
  readonly chosen: MetricKey;
  readonly choice: ReportChoice;
  readonly linkTo: (key: MetricKey) => string;
}

function MetricCards({ chosen, choice, linkTo }: MetricCardsProps) {
  const reports = useQueries({ queries: metricKeys.map((key) => experienceQuery(key, choice)) });
  return (
    <nav aria-label="Metrics" className="q-metric-cards">
      {metricKeys.map((key, index) => {
        const report = reports[index];
        const latest = latestRows(report?.data?.rows ?? []);
        const first = latest[0];
        return (
          <Link key={key} to={linkTo(key)} replace className="q-metric-card" aria-current={key === chosen ? 'true' : undefined}>
            <span className="q-metric-name">{metricShapes[key].name}</span>
            {report === undefined || report.isPending ? (
              <SkeletonBlock height={44} />
            ) : report.isError ? (
              <span className="q-metric-none">could not be computed</span>
            ) : first === undefined ? (
              <span className="q-metric-none">no figure in these periods</span>
            ) : (
              <>
                <span className="q-metric-value">{latest.map((row) => valueWords(key, row)).join(', ')}</span>
                <span className="q-metric-note">
                  {latest.length > 1 ? metricShapes[key].note : first.lower === undefined ? 'no interval' : intervalWords(key, first)}
                  <br />
                  {periodWords(first.from, choice.period)}, of {count(first.n)}
                </span>
              </>
            )}
          </Link>
        );
      })}
    </nav>
  );
}

interface MetricPanelProps {
  readonly metric: MetricKey;
  readonly choice: ReportChoice;
}

function MetricPanel({ metric, choice }: MetricPanelProps) {
  const report = useQuery(experienceQuery(metric, choice));
  return (
    <Loaded query={report} skeleton={<SkeletonBlock height={420} />}>
      {(data) => (
        <div className="q-experience" aria-busy={report.isPlaceholderData} style={report.isPlaceholderData ? { opacity: 0.5 } : undefined}>
          <ReportPanel metric={metric} report={data} filtered={metric === 'acquisition-cost' && choice.segment !== ''} />
          {metric === 'retention' && <CohortPanel cohorts={data.cohorts ?? []} period={data.period} />}
        </div>
      )}
    </Loaded>
  );
}

interface ReportPanelProps {
  readonly metric: MetricKey;
  readonly report: ExperienceReport;
  /** Whether a segment was asked for that this metric does not have. */
  readonly filtered: boolean;
}

// The interval of the net promoter score rests on the normal distribution.
const fewAnswers = 30;

const howToGet: Readonly<Partial<Record<MetricKey, string>>> = {
  nps: 'Answers are events: Survey Answered with kind nps and a score of 0 to 10.',
  csat: 'Answers are events: Survey Answered with kind csat and a score.',
  ces: 'Answers are events: Survey Answered with kind ces and a score of 1 to 7.',
  'acquisition-cost': 'Bring in what marketing cost under Marketing spend.',
};

function ReportPanel({ metric, report, filtered }: ReportPanelProps) {
  const palette = usePalette();
  const option = useMemo(() => experienceOption(metric, report.period, report.rows, palette), [metric, report, palette]);
  const shape = metricShapes[metric];
  const empty = report.rows.every((row) => row.value === undefined);
  const note = filtered ? `${report.definition} Spend belongs to no segment: this is of everybody.` : report.definition;
  if (empty) {
    return (
      <Panel title={shape.name} note={note}>
        <EmptyState icon={<IconHeartHandshake size={20} />} title="No figure in these periods">
          {howToGet[metric] ?? 'Nobody ordered in these periods. Choose others, or another segment.'}
        </EmptyState>
      </Panel>
    );
  }
  return (
    <>
      <Panel title={shape.name} note={note}>
        <LazyChart option={option} height={260} label={`${shape.name} by ${report.period} with 95% intervals; the table below has the figures`} />
      </Panel>
      <Panel title="By period" note="Newest first. A period that has not ended is not final." flush>
        <Table className="q-list" highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Period</Table.Th>
              <Table.Th className="q-number">{shape.name}</Table.Th>
              <Table.Th className="q-number">95% interval</Table.Th>
              <Table.Th className="q-number">Rests on</Table.Th>
              <Table.Th>Made of</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {report.rows.toReversed().map((row) => (
              <Table.Tr key={`${row.from} ${row.currency ?? ''}`}>
                <Table.Td className="q-list-plain">
                  {periodWords(row.from, report.period)} {!row.complete && <Tag tone="quiet">not ended</Tag>}
                </Table.Td>
                <Table.Td className="q-number">
                  <b style={{ fontWeight: 600 }}>{valueWords(metric, row)}</b>
                </Table.Td>
                <Table.Td className="q-number">{intervalWords(metric, row)}</Table.Td>
                <Table.Td className="q-number">
                  {metric === 'nps' && row.n > 0 && row.n < fewAnswers && (
                    <Tag tone="warning" title="Below some thirty answers the interval of the net promoter score is too narrow">
                      few
                    </Tag>
                  )}{' '}
                  {count(row.n)}
                </Table.Td>
                <Table.Td className="q-experience-parts">{partsWords(metric, row)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Panel>
    </>
  );
}
