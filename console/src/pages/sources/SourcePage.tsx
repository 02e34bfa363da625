import { Select, SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconChartLine } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { Link, useParams } from 'react-router';
import { Problem } from '../../api/problem';
import { eventNamesQuery, scoresQuery, sourcesQuery } from '../../api/quality';
import type { EventSource } from '../../api/types';
import { LazyChart } from '../../charts/LazyChart';
import { usePalette } from '../../charts/usePalette';
import { count, percent } from '../../format/number';
import { duration } from '../../format/time';
import { EmptyState } from '../../parts/EmptyState';
import { Figure, Figures } from '../../parts/Figure';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { FieldsList } from './FieldsList';
import { scoreOption } from './scoreOption';
import { dayBefore, scoreParts, scoreText, sourceKind, sourceTitle } from './words';
import './sources.css';

/** One source: its state, its scores by day, and every field that it sends. */
export function SourcePage() {
  const { id = '' } = useParams();
  const query = useQuery(sourcesQuery);
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={480} />}>
      {({ items }) => {
        const source = items.find((each) => each.id === id);
        if (source === undefined) {
          return (
            <>
              <PageHeader title={id} parent={{ to: '/sources', label: 'Sources and quality' }} />
              <ProblemPanel error={new Problem(404, 'Not found', `Nothing has come from a source ${id}.`)} />
            </>
          );
        }
        return <Source source={source} />;
      }}
    </Loaded>
  );
}

function Source({ source }: { readonly source: EventSource }) {
  const judged = source.accepted + source.refused;
  return (
    <>
      <PageHeader
        title={sourceTitle(source)}
        parent={{ to: '/sources', label: 'Sources and quality' }}
        note={
          <>
            {sourceKind(source.id)} <span className="q-mono">{source.id}</span>
          </>
        }
      />
      <div className="q-stack">
        {source.problems.length > 0 && (
          <Panel title="What is wrong">
            <ul className="q-source-problems">
              {source.problems.map((problem) => (
                <li key={problem.kind}>{problem.text}</li>
              ))}
            </ul>
          </Panel>
        )}
        <Figures>
          <Figure
            label="Last event"
            value={source.lastEventAt === null ? 'never' : <Moment at={source.lastEventAt} as="ago" />}
            note={source.usualSilenceSeconds > 0 ? `usually within ${duration(source.usualSilenceSeconds)}` : undefined}
          />
          <Figure
            label="Event to profile today"
            value={source.lag.p95 === null ? '–' : duration(source.lag.p95)}
            unit="p95"
            note={source.lag.p50 === null ? undefined : `p50 ${duration(source.lag.p50)}, p99 ${duration(source.lag.p99 ?? 0)}`}
          />
          <Figure label="Accepted today" value={count(source.accepted)} note={`${count(source.repeated)} of them repeated`} />
          <Figure
            label="Refused today"
            value={count(source.refused)}
            note={
              source.quarantined > 0 ? (
                <Link className="q-link" to={`/sources/quarantine?source=${encodeURIComponent(source.id)}`}>
                  {count(source.quarantined)} in quarantine
                </Link>
              ) : judged > 0 ? (
                percent(source.refused / judged)
              ) : undefined
            }
          />
          <Figure label="Last whole hour" value={count(source.volume.events)} note={volumeWords(source.volume)} />
        </Figures>
        <ScoresPanel source={source} />
        <FieldsPanel source={source} />
      </div>
    </>
  );
}

function volumeWords(volume: EventSource['volume']): string {
  if (volume.verdict === 'unknown') return 'three weeks are needed to say what is usual';
  const usual = `${count(volume.expected)} as a rule`;
  return volume.verdict === 'usual' ? usual : `${volume.verdict} the usual: ${usual}`;
}

const ranges = [
  { value: '14', label: '14 days' },
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
] as const;

function ScoresPanel({ source }: { readonly source: EventSource }) {
  const palette = usePalette();
  const [range, setRange] = useState('30');
  const today = dayBefore(new Date(), 0);
  const days = useMemo(() => Array.from({ length: Number(range) }, (_, index) => dayBefore(new Date(`${today}T12:00:00Z`), Number(range) - 1 - index)), [range, today]);
  const query = useQuery(scoresQuery(source.id, days[0] ?? today, today));
  return (
    <Panel
      title="Daily score"
      note="Out of 100. Below 80 the source shows a problem; a day without events has no score."
      actions={<SegmentedControl size="xs" aria-label="Days shown" data={[...ranges]} value={range} onChange={setRange} />}
    >
      <Loaded query={query} skeleton={<SkeletonBlock height={220} />}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon={<IconChartLine size={20} />} title="No score yet">
              The first one comes five minutes after the first event of a day.
            </EmptyState>
          ) : (
            <>
              <LazyChart
                option={scoreOption(items, days, palette)}
                height={220}
                label={`Scores by day; the last one is ${scoreText(items.at(-1)?.total)} out of 100`}
              />
              <ul className="q-score-parts">
                {scoreParts.map((part) => (
                  <li key={part.key} title={part.meaning}>
                    <span className="q-muted">
                      {part.label} <span className="q-faint">{part.weight}%</span>
                    </span>
                    <br />
                    <b>{scoreText(items.at(-1)?.[part.key])}</b> <span className="q-list-note">{part.meaning}</span>
                  </li>
                ))}
              </ul>
            </>
          )
        }
      </Loaded>
    </Panel>
  );
}

function FieldsPanel({ source }: { readonly source: EventSource }) {
  const [event, setEvent] = useState('');
  return (
    <Panel
      title="Fields"
      note="Of the last 30 days, down to members of objects. With one event chosen, an example of each value is shown; personal ones are masked for everybody."
      flush
      actions={<EventChoice source={source.id} value={event} onChange={setEvent} />}
    >
      <FieldsList key={event} source={source.id} event={event} />
    </Panel>
  );
}

function EventChoice({ source, value, onChange }: { readonly source: string; readonly value: string; readonly onChange: (event: string) => void }) {
  const names = useQuery(eventNamesQuery(source));
  return (
    <Select
      size="xs"
      w={230}
      aria-label="Event"
      placeholder="All events"
      clearable
      searchable
      data={names.data ?? []}
      value={value === '' ? null : value}
      onChange={(event) => {
        onChange(event ?? '');
      }}
    />
  );
}
