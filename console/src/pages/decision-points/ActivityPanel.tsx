import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconChartAreaLine } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { activityQuery } from '../../api/points';
import type { Activity } from '../../api/types';
import { LazyChart } from '../../charts/LazyChart';
import { maxSeries } from '../../charts/palette';
import { usePalette } from '../../charts/usePalette';
import { duration } from '../../format/time';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { ShareTable } from './ShareTable';
import { actionShares, activityBands } from './activity';
import { activityOption, bandColours } from './activityOption';

const spans = [
  { hours: 1, label: '1 h' },
  { hours: 24, label: '24 h' },
  { hours: 24 * 7, label: '7 d' },
  { hours: 24 * 30, label: '30 d' },
] as const;

export function ActivityPanel({ pointKey }: { readonly pointKey: string }) {
  const [hours, setHours] = useState(24);
  const query = useQuery(activityQuery(pointKey, hours));
  return (
    <Panel
      title="Chosen actions"
      note={`Share of decisions by action${query.data === undefined ? '' : `, in steps of ${duration(query.data.bucketSeconds)}`}.`}
      actions={
        <SegmentedControl
          size="xs"
          aria-label="Span of time"
          value={hours.toString()}
          onChange={(value) => {
            setHours(Number(value));
          }}
          data={spans.map((span) => ({ value: span.hours.toString(), label: span.label }))}
        />
      }
    >
      <Loaded query={query} skeleton={<SkeletonBlock height={320} />}>
        {(data) => <ActivityBody activity={data} />}
      </Loaded>
    </Panel>
  );
}

function ActivityBody({ activity }: { readonly activity: Activity }) {
  const palette = usePalette();
  const series = useMemo(() => activity.series ?? [], [activity]);
  const bands = useMemo(() => activityBands(series, maxSeries), [series]);
  const colours = useMemo(() => bandColours(bands, palette), [bands, palette]);
  const option = useMemo(() => activityOption(bands, colours, palette), [bands, colours, palette]);
  if (series.length === 0) {
    return (
      <EmptyState icon={<IconChartAreaLine size={20} />} title="No decisions in this span">
        Choose a longer one, or ask this decision point something.
      </EmptyState>
    );
  }
  return (
    <>
      <LazyChart option={option} height={240} label="Share of decisions by action over time, as a stacked area" />
      <ShareTable shares={actionShares(series)} colours={colours} />
    </>
  );
}
