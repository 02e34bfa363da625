import { NativeSelect, NumberInput, SegmentedControl, Slider, Stack, Switch, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { baselineQuery, metricChoicesQuery } from '../../api/metrics';
import { planQuery } from '../../api/planning';
import { asProblem } from '../../api/problem';
import type { PlanRequest } from '../../api/types';
import { LazyChart } from '../../charts/LazyChart';
import { usePalette } from '../../charts/usePalette';
import { count, percent, significant } from '../../format/number';
import { Figure, Figures } from '../../parts/Figure';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { outlookOption } from './outlookOption';
import type { StepProps } from './step';

const methods = [
  { value: 'sequential', label: 'Look whenever you like (always valid)' },
  { value: 'group-sequential', label: 'A few planned looks' },
  { value: 'fixed', label: 'One look at the end' },
  { value: 'bayesian', label: 'Bayesian, with a prior' },
] as const;

const powers = [
  { value: '0.7', label: '70%' },
  { value: '0.8', label: '80%' },
  { value: '0.9', label: '90%' },
  { value: '0.95', label: '95%' },
];

/** The slider of effects is even in steps of what they mean: from 0.1% to 100%. */
const effectAt = (position: number) => Number((10 ** (position / 50 - 1)).toPrecision(2));
const positionOf = (effect: number) => (Math.log10(Math.min(100, Math.max(0.1, effect))) + 1) * 50;

export function PowerStep({ draft, set, started }: StepProps) {
  const metric = draft.metrics[0] ?? '';
  const metrics = useQuery(metricChoicesQuery);
  const baseline = useQuery({ ...baselineQuery(metric), enabled: metric !== '' });
  const [ownMean, setOwnMean] = useState<number | string>('');
  const [ownVariance, setOwnVariance] = useState<number | string>('');
  const [ownPace, setOwnPace] = useState<number | string>('');
  const name = metrics.data?.items.find(({ key }) => key === metric)?.name ?? metric;
  const mean = ownMean === '' ? baseline.data?.mean : Number(ownMean);
  const given = ownVariance === '' ? undefined : Number(ownVariance);
  // A mean that is a share has the variance of one.
  const variance = given ?? (ownMean === '' ? baseline.data?.variance : mean !== undefined && mean > 0 && mean < 1 ? mean * (1 - mean) : undefined);
  const reached = baseline.data === undefined ? undefined : Math.round((baseline.data.peoplePerDay * draft.coveragePercent) / 100);
  const pace = ownPace === '' ? (reached ?? 0) : Number(ownPace);
  return (
    <Stack gap="md">
      {metric === '' && <Text c="dimmed">Choose the metric that decides first; its history gives the baseline.</Text>}
      <div className="q-power">
        <Stack gap="md">
          <div className="q-slider">
            <div className="q-slider-label">
              <span>Smallest effect worth seeing</span>
              <b>±{draft.effectPercent.toString()}%</b>
            </div>
            <Slider
              thumbLabel="Smallest effect worth seeing"
              disabled={started}
              min={0}
              max={150}
              step={0.5}
              value={positionOf(draft.effectPercent)}
              label={(position) => `${effectAt(position).toString()}%`}
              marks={[
                { value: positionOf(0.1), label: '0.1%' },
                { value: positionOf(1), label: '1%' },
                { value: positionOf(10), label: '10%' },
                { value: positionOf(100), label: '100%' },
              ]}
              onChange={(position) => {
                set({ effectPercent: effectAt(position) });
              }}
            />
          </div>
          <div>
            <div className="q-slider-label">
              <span>Chance to see it when it is there</span>
            </div>
            <SegmentedControl aria-label="Power" fullWidth size="xs" data={powers} value={draft.power.toString()} onChange={(power) => { set({ power: Number(power) }); }} />
          </div>
          <NativeSelect
            label="How it is looked at"
            disabled={started}
            data={[...methods]}
            value={draft.method}
            onChange={(event) => {
              set({ method: methods.find(({ value }) => value === event.currentTarget.value)?.value ?? 'sequential' });
            }}
          />
          {draft.method === 'group-sequential' && (
            <NumberInput label="Looks" min={1} max={50} allowDecimal={false} disabled={started} value={draft.looks} onChange={(value) => { set({ looks: Math.max(1, Number(value) || 1) }); }} />
          )}
          <NumberInput
            label="People a day"
            description={baseline.data === undefined ? 'Who come into the experiment' : `${count(reached)} by the last 28 days and the share that takes part`}
            placeholder={reached?.toString() ?? ''}
            min={0}
            allowDecimal={false}
            value={ownPace}
            onChange={setOwnPace}
          />
          <details open={baseline.isError || metric === ''}>
            <summary className="q-muted">Baseline and more</summary>
            <Stack gap="sm" mt="sm">
              <NumberInput label={`Mean of ${name === '' ? 'the metric' : name}`} description={baseline.data === undefined ? 'Its history does not tell it' : `${significant(baseline.data.mean, 4)} among ${count(baseline.data.people)} people of the last 28 days`} placeholder={baseline.data === undefined ? '' : significant(baseline.data.mean, 4)} value={ownMean} onChange={setOwnMean} />
              <NumberInput label="Variance of one person’s value" placeholder={variance === undefined ? '' : significant(variance, 4)} min={0} value={ownVariance} onChange={setOwnVariance} />
              <Switch
                label="Narrow intervals by what people did before (CUPED)"
                disabled={started}
                checked={draft.pastDays > 0}
                onChange={(event) => {
                  set({ pastDays: event.currentTarget.checked ? 14 : 0 });
                }}
              />
              <TextInput type="datetime-local" label="Starts at" description="At once when it is told to start, unless given" value={draft.startAt} onChange={(event) => { set({ startAt: event.currentTarget.value }); }} />
              <TextInput type="datetime-local" label="Stops by itself at" value={draft.endAt} onChange={(event) => { set({ endAt: event.currentTarget.value }); }} />
            </Stack>
          </details>
        </Stack>
        {mean !== undefined && variance !== undefined ? (
          <Outlook
            draft={draft}
            started={started}
            set={set}
            request={{
              mean,
              variance,
              effect: draft.effectPercent / 100,
              arms: draft.arms.length,
              method: draft.method,
              alpha: draft.alpha,
              power: draft.power,
              ...(draft.method === 'group-sequential' ? { looks: draft.looks } : {}),
              ...(pace > 0 ? { peoplePerDay: pace } : {}),
              weeks: 26,
            }}
          />
        ) : baseline.isFetching ? (
          <SkeletonBlock height={300} />
        ) : (
          <div>
            {baseline.isError && asProblem(baseline.error).status !== 422 && <ProblemPanel error={asProblem(baseline.error)} />}
            <Text c="dimmed">
              {metric === '' ? '' : `The history of ${name} is too short to tell its baseline: nobody of the last weeks has had all of its window. `}
              Type a mean and a variance to see how many people it takes; of a share of people the mean is enough.
            </Text>
          </div>
        )}
      </div>
    </Stack>
  );
}

interface OutlookProps extends StepProps {
  readonly request: PlanRequest;
}

function Outlook({ draft, set, started, request }: OutlookProps) {
  const palette = usePalette();
  const [asked] = useDebouncedValue(request, 120);
  const plan = useQuery(planQuery(asked));
  const nStar = plan.data?.nStar;
  // N* belongs to the plan that is shown, and is fixed once the experiment runs.
  useEffect(() => {
    if (!started && nStar !== undefined && nStar !== draft.nStar && !plan.isPlaceholderData) set({ nStar });
  }, [nStar, draft.nStar, started, plan.isPlaceholderData, set]);
  if (plan.isError) return <ProblemPanel error={asProblem(plan.error)} />;
  if (plan.data === undefined) return <SkeletonBlock height={300} />;
  const { people, perArm, days, outlook } = plan.data;
  return (
    <Stack gap="md" aria-live="polite">
      <Figures>
        <Figure label="People" value={<span data-testid="plan-people">{count(people)}</span>} note={`${count(perArm)} in each of ${draft.arms.length.toString()} arms`} />
        <Figure label="Time" value={<span data-testid="plan-days">{days === undefined ? '–' : daysWords(days)}</span>} note={days === undefined ? 'say how many people come in a day' : `at ${count(request.peoplePerDay)} people a day`} />
      </Figures>
      {days !== undefined && days > 90 && (
        <Text size="sm" role="status">
          That is long: people change, cookies go. Look for a larger effect, a metric with less noise, fewer arms, or more people.
        </Text>
      )}
      {(outlook ?? []).length > 0 && (
        <div>
          <Text size="sm" fw={550} mb={4}>
            Chance to have seen ±{draft.effectPercent.toString()}% by the end of each week
          </Text>
          <LazyChart option={outlookOption(outlook, draft.power, palette)} height={220} label={`Chance to see the effect by week; ${percent(outlook.at(-1)?.power, 0)} after ${outlook.length.toString()} weeks`} />
        </div>
      )}
    </Stack>
  );
}

function daysWords(days: number): string {
  return days === 1 ? '1 day' : days < 15 ? `${days.toString()} days` : `${Math.ceil(days / 7).toString()} weeks`;
}
