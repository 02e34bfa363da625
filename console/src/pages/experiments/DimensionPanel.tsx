import { Autocomplete, NativeSelect } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { dimensionQuery } from '../../api/experiments';
import type { MetricReport, Report } from '../../api/types';
import { count } from '../../format/number';
import { Loaded } from '../../parts/Loaded';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { EffectTable } from './EffectTable';
import './result.css';

const usual = ['trait.city', 'trait.country', 'trait.loyalty', 'context.device', 'context.channel', 'decision.channel'] as const;

/** One goal by the values of a dimension, all values on one scale. */
export function DimensionPanel({ report }: { readonly report: Report }) {
  const planned = report.analysis.dimensions ?? [];
  const choices = [...new Set([...planned, ...usual])];
  const [dimension, setDimension] = useState('');
  const [text, setText] = useState('');
  const [key, setKey] = useState('');
  const metrics = report.metrics ?? [];
  const metric = metrics.find((each) => each.key === key) ?? metrics[0];
  if (metric === undefined) return null;
  return (
    <Panel
      title="By dimension"
      note="Groups of people apart. With many groups one of them looks good by chance: the p-values take all of them into account, and a group decides nothing that was not planned."
      flush
      actions={
        <>
          <Autocomplete
            size="xs"
            aria-label="Dimension"
            placeholder="trait.city"
            data={choices}
            value={text}
            onChange={setText}
            onOptionSubmit={setDimension}
            onBlur={() => {
              setDimension(text.trim());
            }}
            onKeyDown={(event) => {
              if (event.key === 'Enter') setDimension(text.trim());
            }}
          />
          <NativeSelect size="xs" aria-label="Metric of the groups" data={metrics.map((each) => ({ value: each.key, label: each.name ?? each.key }))} value={metric.key} onChange={(event) => { setKey(event.currentTarget.value); }} />
        </>
      }
    >
      {dimension === '' ? (
        <p className="q-list-end">Choose a trait (trait.city), a field of the context (context.device), a property of events or a part of decisions to see the effect in each of its values.</p>
      ) : (
        <Values experiment={report.experiment} dimension={dimension} metric={metric.key} trusted={report.checksPassed} control={report.arms.find(({ control }) => control)?.variant ?? 'control'} />
      )}
    </Panel>
  );
}

interface ValuesProps {
  readonly experiment: string;
  readonly dimension: string;
  readonly metric: string;
  readonly control: string;
  readonly trusted: boolean;
}

function Values({ experiment, dimension, metric, control, trusted }: ValuesProps) {
  const query = useQuery(dimensionQuery(experiment, dimension));
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={220} />}>
      {(report) => {
        const values = report.dimension?.values ?? [];
        // Each value takes the place of a metric in the table, so that all share an axis.
        const rows = values.flatMap((value): MetricReport[] => {
          const found = value.metrics.find(({ key }) => key === metric);
          const people = value.arms.reduce((sum, arm) => sum + arm.units, 0);
          return found === undefined ? [] : [{ ...found, key: value.value, name: `${value.value === '' ? 'not known' : value.value} · ${count(people)} people` }];
        });
        if (rows.length === 0) return <p className="q-list-end">Nobody in this experiment has a value of {dimension}.</p>;
        return (
          <>
            <EffectTable metrics={rows} heading={dimension} control={control} mode="relative" trusted={trusted} />
            <p className="q-list-note" style={{ padding: '0 16px 12px' }}>
              {count(report.dimension?.tests)} comparisons are taken into account.{report.dimension?.truncated === true && ' The rarest values are together.'}
            </p>
          </>
        );
      }}
    </Loaded>
  );
}
