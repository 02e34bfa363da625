import { ActionIcon, Button, Group, NativeSelect, NumberInput, SegmentedControl, Stack, Switch, Text, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { useWhyNot } from '../../api/may';
import { metricQuery, saveMetric } from '../../api/metrics';
import { asProblem, Problem } from '../../api/problem';
import type { Metric } from '../../api/types';
import { messageAt, unplaced } from '../../parts/findings';
import { Loaded } from '../../parts/Loaded';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { keyOf } from '../experiments/draft';
import { emptyMetric, metricOf, missingIn, textOf, type ConditionText, type MetricText } from './form';
import { MetricPreview } from './MetricPreview';
import { canCap, hasWindow, kinds, metricWords, operatorChoices, readsProperty } from './words';
import './metrics.css';

/** One metric: its definition beside what it is among people now. */
export function MetricPage() {
  const { key = '' } = useParams();
  const query = useQuery({ ...metricQuery(key), enabled: key !== 'new' });
  if (key === 'new') return <Editor key="new" />;
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={420} />}>
      {(metric) => <Editor key={`${metric.key} ${metric.version.toString()}`} metric={metric} />}
    </Loaded>
  );
}

function Editor({ metric }: { readonly metric?: Metric }) {
  const before = metric === undefined ? emptyMetric : textOf(metric);
  const [text, setText] = useState<MetricText>(before);
  const [ownKey, setOwnKey] = useState('');
  const refused = useWhyNot('define');
  const queries = useQueryClient();
  const navigate = useNavigate();
  const key = metric?.key ?? (ownKey === '' ? keyOf(text.name) : ownKey);
  const open = missingIn(text);
  const save = useMutation({
    mutationFn: () => saveMetric(key, metricOf(text), metric?.version ?? null),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['metrics'] });
      await navigate(`/measures/${encodeURIComponent(key)}`, { replace: true });
    },
  });
  const problem = save.isError ? asProblem(save.error) : null;
  const findings = problem?.findings ?? [];
  const rest = unplaced(findings, ['key', 'name', 'event', 'property', 'windowHours', 'denominator']);
  const set = (change: Partial<MetricText>) => {
    setText({ ...text, ...change });
  };
  const setCondition = (index: number, change: Partial<ConditionText>) => {
    set({ filter: text.filter.map((condition, at) => (at === index ? { ...condition, ...change } : condition)) });
  };
  return (
    <>
      <PageHeader parent={{ to: '/measures', label: 'Metrics' }} title={metric === undefined ? 'New metric' : (metric.name ?? metric.key)} note={metric === undefined ? undefined : `${metric.key}, version ${metric.version.toString()}. Reports as of an earlier moment use the version of that time.`} />
      <div className="q-columns">
        <Panel title="Definition">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              save.mutate();
            }}
          >
            <Stack gap="sm">
              {problem !== null && (findings.length === 0 || rest.length > 0) && <ProblemPanel error={new Problem(problem.status, problem.title, problem.detail, rest)} />}
              <TextInput label="Name" value={text.name} error={messageAt(findings, 'name') || null} onChange={(event) => { set({ name: event.currentTarget.value }); }} />
              {metric === undefined && (
                <TextInput label="Key" value={key} error={messageAt(findings, 'key') || null} onChange={(event) => { setOwnKey(keyOf(event.currentTarget.value)); }} />
              )}
              <NativeSelect
                label="Kind"
                data={kinds.map(({ value, label, about }) => ({ value, label: `${label}: ${about.charAt(0).toLowerCase()}${about.slice(1)}` }))}
                value={text.kind}
                onChange={(event) => {
                  const kind = kinds.find(({ value }) => value === event.currentTarget.value)?.value ?? 'proportion';
                  set({ kind, direction: kind === 'time-to-event' ? 'decrease' : text.direction });
                }}
              />
              {text.kind === 'funnel' ? (
                <Textarea label="Steps" description="Names of events in their order, one a line" autosize minRows={3} value={text.steps} onChange={(event) => { set({ steps: event.currentTarget.value }); }} />
              ) : (
                <>
                  <TextInput label="Event" placeholder="Order Completed" value={text.event} error={messageAt(findings, 'event') || null} onChange={(event) => { set({ event: event.currentTarget.value }); }} />
                  {readsProperty(text.kind) && (
                    <TextInput
                      label="Property"
                      description={text.kind === 'mean' || text.kind === 'ratio' ? 'A number; without it events are counted' : 'A number'}
                      placeholder={text.kind === 'margin' ? 'margin' : 'revenue'}
                      value={text.property}
                      error={messageAt(findings, 'property') || null}
                      onChange={(event) => {
                        set({ property: event.currentTarget.value });
                      }}
                    />
                  )}
                  <div>
                    <Text size="sm" fw={500}>
                      Only events where
                    </Text>
                    <Stack gap={6} mt={4}>
                      {text.filter.map((condition, index) => (
                        <div key={index} className="q-condition">
                          <TextInput size="xs" aria-label={`Property of condition ${(index + 1).toString()}`} placeholder="currency" value={condition.property} onChange={(event) => { setCondition(index, { property: event.currentTarget.value }); }} />
                          <NativeSelect
                            size="xs"
                            aria-label={`Operator of condition ${(index + 1).toString()}`}
                            data={operatorChoices}
                            value={condition.operator}
                            onChange={(event) => {
                              setCondition(index, { operator: event.currentTarget.value as ConditionText['operator'] });
                            }}
                          />
                          <TextInput size="xs" aria-label={`Value of condition ${(index + 1).toString()}`} disabled={condition.operator === 'exists' || condition.operator === 'missing'} value={condition.value} onChange={(event) => { setCondition(index, { value: event.currentTarget.value }); }} />
                          <ActionIcon variant="default" size={30} aria-label={`Remove condition ${(index + 1).toString()}`} onClick={() => { set({ filter: text.filter.filter((_, at) => at !== index) }); }}>
                            <IconX size={14} />
                          </ActionIcon>
                        </div>
                      ))}
                    </Stack>
                    <Button size="compact-xs" variant="default" mt={text.filter.length > 0 ? 6 : 2} leftSection={<IconPlus size={12} />} onClick={() => { set({ filter: [...text.filter, { property: '', operator: 'eq', value: '' }] }); }}>
                      Condition
                    </Button>
                  </div>
                </>
              )}
              {text.kind === 'ratio' && (
                <Group grow align="flex-start">
                  <TextInput
                    label="Divided by"
                    description="decisions, or event: and a name"
                    value={text.denominator}
                    error={messageAt(findings, 'denominator') || null}
                    onChange={(event) => {
                      set({ denominator: event.currentTarget.value });
                    }}
                  />
                  <TextInput label="Its property" description="Without it events are counted" disabled={text.denominator === 'decisions'} value={text.denominatorProperty} onChange={(event) => { set({ denominatorProperty: event.currentTarget.value }); }} />
                </Group>
              )}
              {text.kind === 'quantile' && (
                <Group grow align="flex-start">
                  <NumberInput label="Level" min={0.01} max={0.999} step={0.05} decimalScale={4} value={text.level} onChange={(value) => { set({ level: Number(value) || 0.9 }); }} />
                  <NativeSelect label="Of" data={[{ value: 'people', label: 'what people sum up to' }, { value: 'events', label: 'single events' }]} value={text.quantileOf} onChange={(event) => { set({ quantileOf: event.currentTarget.value === 'events' ? 'events' : 'people' }); }} />
                </Group>
              )}
              {hasWindow(text.kind) ? (
                <Group grow align="flex-start">
                  <NumberInput label="Counts for" description="Hours after the first exposure" suffix=" hours" min={1} max={8784} value={text.windowHours} error={messageAt(findings, 'windowHours') || null} onChange={(value) => { set({ windowHours: Number(value) || 0 }); }} />
                  <NumberInput label="From" description="Hours that are left out first" suffix=" hours" min={0} value={text.windowFromHours} onChange={(value) => { set({ windowFromHours: Number(value) || 0 }); }} />
                </Group>
              ) : (
                <Group grow align="flex-start">
                  <NumberInput label="From day" min={0} value={text.fromDays} onChange={(value) => { set({ fromDays: Number(value) || 0 }); }} />
                  <NumberInput label="To day" min={0} value={text.toDays} onChange={(value) => { set({ toDays: Number(value) || 0 }); }} />
                </Group>
              )}
              <div>
                <Text size="sm" fw={500} mb={4}>
                  Better is
                </Text>
                <SegmentedControl aria-label="Better is" size="xs" data={[{ value: 'increase', label: 'more' }, { value: 'decrease', label: 'less' }]} value={text.direction} onChange={(value) => { set({ direction: value === 'decrease' ? 'decrease' : 'increase' }); }} />
              </div>
              {canCap(text.kind) && (
                <Group grow align="flex-start">
                  <NativeSelect
                    label="Cut off what single people sum up to"
                    description="By the same bound in all arms"
                    data={[{ value: 'none', label: 'not at all' }, { value: 'quantile', label: 'at a quantile' }, { value: 'value', label: 'at a value' }]}
                    value={text.capKind}
                    onChange={(event) => {
                      const { value } = event.currentTarget;
                      set({ capKind: value === 'quantile' ? 'quantile' : value === 'value' ? 'value' : 'none', cap: value === 'quantile' ? 0.99 : 1000 });
                    }}
                  />
                  {text.capKind !== 'none' && <NumberInput label="Bound" description={text.capKind === 'quantile' ? 'Of all people together' : 'In the unit of the metric'} min={0} value={text.cap} onChange={(value) => { set({ cap: Number(value) || 0 }); }} />}
                </Group>
              )}
              {(text.kind === 'mean' || text.kind === 'ratio') && <Switch label="Less what contacts cost" checked={text.subtractContactCost} onChange={(event) => { set({ subtractContactCost: event.currentTarget.checked }); }} />}
              <Group grow align="flex-start">
                <NumberInput label="Loss that is borne as a guardrail" suffix=" %" min={0} max={99} value={text.marginPercent} onChange={(value) => { set({ marginPercent: Number(value) || 0 }); }} />
                <TextInput label="Owner" value={text.owner} onChange={(event) => { set({ owner: event.currentTarget.value }); }} />
              </Group>
              <Textarea label="Description" autosize minRows={2} value={text.description} onChange={(event) => { set({ description: event.currentTarget.value }); }} />
              <Group justify="space-between" gap="sm">
                <Text size="sm" c="dimmed">
                  {refused || open[0]}
                </Text>
                <Button type="submit" loading={save.isPending} disabled={refused !== '' || open.length > 0 || key === '' || (metric !== undefined && JSON.stringify(text) === JSON.stringify(before))}>
                  {metric === undefined ? 'Create metric' : 'Save metric'}
                </Button>
              </Group>
            </Stack>
          </form>
        </Panel>
        <div className="q-stack">
          <Panel title="In words">
            <p className="q-metric-words">{metricWords(metricOf(text))}</p>
          </Panel>
          {metric !== undefined && <MetricPreview metric={metric} />}
        </div>
      </div>
    </>
  );
}
