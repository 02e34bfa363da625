import { NativeSelect } from '@mantine/core';
import { IconChartLine } from '@tabler/icons-react';
import { useState } from 'react';
import type { Report } from '../../api/types';
import { LazyChart } from '../../charts/LazyChart';
import { usePalette } from '../../charts/usePalette';
import { effectText } from '../../format/effect';
import { EmptyState } from '../../parts/EmptyState';
import { Panel } from '../../parts/Panel';
import { seriesOption } from './seriesOption';

/** How the effect came to be what it is, day by day, with the band that holds however often somebody looks. */
export function SeriesPanel({ report }: { readonly report: Report }) {
  const palette = usePalette();
  const metrics = (report.metrics ?? []).filter(({ series }) => (series ?? []).length > 0);
  const [key, setKey] = useState('');
  const [arm, setArm] = useState('');
  const metric = metrics.find((each) => each.key === key) ?? metrics[0];
  const variants = [...new Set((metric?.series ?? []).map(({ variant }) => variant))];
  const variant = variants.includes(arm) ? arm : (variants[0] ?? '');
  const points = (metric?.series ?? []).filter((point) => point.variant === variant);
  const mode = points.some(({ relative }) => relative !== undefined) ? 'relative' : 'absolute';
  const last = points.at(-1)?.[mode];
  return (
    <Panel
      title="Effect over time"
      note={`Everything up to the end of each day. ${mode === 'relative' ? 'In relation to the control.' : 'Arm minus control.'} The band holds however often you look: once it leaves zero out, that is enough to conclude.`}
      actions={
        metric !== undefined && (
          <>
            {variants.length > 1 && (
              <NativeSelect size="xs" aria-label="Variant of the chart" data={variants} value={variant} onChange={(event) => { setArm(event.currentTarget.value); }} />
            )}
            <NativeSelect
              size="xs"
              aria-label="Metric of the chart"
              data={metrics.map((each) => ({ value: each.key, label: each.name ?? each.key }))}
              value={metric.key}
              onChange={(event) => {
                setKey(event.currentTarget.value);
              }}
            />
          </>
        )
      }
    >
      {metric === undefined || points.length === 0 ? (
        <EmptyState icon={<IconChartLine size={20} />} title="No point yet">
          The first point comes with the first people.
        </EmptyState>
      ) : (
        <LazyChart
          option={seriesOption(points, metric.kind, mode, palette)}
          height={240}
          label={`Effect of ${variant} on ${metric.name ?? metric.key} by day${last === undefined ? '' : `; the last one is ${effectText(last, metric.kind, mode).estimate}, ${effectText(last, metric.kind, mode).interval}`}`}
        />
      )}
    </Panel>
  );
}
