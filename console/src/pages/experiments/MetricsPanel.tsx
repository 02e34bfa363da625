import { SegmentedControl } from '@mantine/core';
import { IconTarget } from '@tabler/icons-react';
import { useState } from 'react';
import type { Report } from '../../api/types';
import type { EffectMode } from '../../format/effect';
import { EmptyState } from '../../parts/EmptyState';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { EffectTable } from './EffectTable';
import { groupsOf, methodWords } from './words';
import './result.css';

export function MetricsPanel({ report }: { readonly report: Report }) {
  const [mode, setMode] = useState<EffectMode>('relative');
  const metrics = report.metrics ?? [];
  const control = report.arms?.find((arm) => arm.control)?.variant ?? 'control';
  return (
    <Panel
      title={`Metrics against ${control}`}
      note={
        <>
          What people did within the window after their first exposure. {methodWords(report.analysis)} As of{' '}
          <Moment at={report.at} as="clock" />.
        </>
      }
      flush
      actions={
        <SegmentedControl
          size="xs"
          aria-label="Scale"
          value={mode}
          onChange={(value) => {
            setMode(value === 'absolute' ? 'absolute' : 'relative');
          }}
          data={[
            { value: 'relative', label: 'Relative' },
            { value: 'absolute', label: 'Absolute' },
          ]}
        />
      }
    >
      {metrics.length === 0 ? (
        <EmptyState icon={<IconTarget size={20} />} title="No metrics">
          The experiment names no metrics, so there is nothing to compare.
        </EmptyState>
      ) : (
        groupsOf(metrics).map(({ role, title, about, list }) => (
          <section key={role} className="q-role">
            <h3 className="q-role-title">
              {title} <span className="q-muted">{about}</span>
            </h3>
            <EffectTable metrics={list} together={metrics} control={control} mode={mode} trusted={report.checksPassed} />
          </section>
        ))
      )}
    </Panel>
  );
}
