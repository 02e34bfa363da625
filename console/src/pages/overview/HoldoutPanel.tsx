import { SegmentedControl } from '@mantine/core';
import { IconShieldHalf } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import type { Overview } from '../../api/types';
import type { EffectMode } from '../../format/effect';
import { count, percent } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Panel } from '../../parts/Panel';
import { EffectTable } from '../experiments/EffectTable';
import { FailedChecks } from '../experiments/FailedChecks';

/** What all advertising together brings, against the people whom none of it reaches. */
export function HoldoutPanel({ holdout }: { readonly holdout: Overview['holdout'] }) {
  const [mode, setMode] = useState<EffectMode>('relative');
  const report = holdout.report ?? undefined;
  const metrics = (report?.metrics ?? []).filter((metric) => (metric.effects ?? []).length > 0);
  if (report === undefined || metrics.length === 0) {
    return (
      <Panel title="Lift over the universal holdout">
        <EmptyState icon={<IconShieldHalf size={20} />} title="No lift to show yet">
          {holdout.share > 0
            ? `${percent(holdout.share)} of people get no advertising at all. Once both sides have outcomes, the difference stands here with its 95% interval.`
            : 'The universal holdout is switched off, so there is nobody to compare with.'}{' '}
          <Link className="q-link" to="/settings/holdout">
            Holdout settings
          </Link>
        </EmptyState>
      </Panel>
    );
  }
  const control = report.arms?.find((arm) => arm.control)?.variant ?? 'holdout';
  const sizes = (report.arms ?? []).map((arm) => `${count(arm.units)} ${arm.variant}`).join(', ');
  return (
    <Panel
      title="Lift over the universal holdout"
      note={`All advertising against none, per person: ${sizes}. Bars are 95% intervals.`}
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
      <FailedChecks checks={report.checks ?? []} inset />
      <EffectTable metrics={metrics} control={control} mode={mode} trusted={report.checksPassed} brief />
    </Panel>
  );
}
