import { ActionIcon, Button, MultiSelect, NativeSelect, NumberInput, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconPlus, IconX } from '@tabler/icons-react';
import { Link } from 'react-router';
import { metricChoicesQuery } from '../../api/metrics';
import { Loaded } from '../../parts/Loaded';
import { SkeletonBlock } from '../../parts/Skeletons';
import { metricWords } from '../metrics/words';
import type { GuardrailText } from './draft';
import type { StepProps } from './step';

const actions = [
  { value: 'warn', label: 'warn in the report' },
  { value: 'stop', label: 'stop the experiment' },
  { value: 'rollback', label: 'take the arm out' },
] as const;

export function MetricsStep({ draft, set }: StepProps) {
  const query = useQuery(metricChoicesQuery);
  const setGuard = (index: number, change: Partial<GuardrailText>) => {
    set({ guardrails: draft.guardrails.map((guardrail, at) => (at === index ? { ...guardrail, ...change } : guardrail)) });
  };
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={260} />}>
      {({ items }) => {
        const choices = items.map((metric) => ({ value: metric.key, label: metric.name ?? metric.key }));
        const first = items.find(({ key }) => key === draft.metrics[0]);
        return (
          <Stack gap="lg" maw={760}>
            {items.length === 0 && (
              <Text>
                No metric is defined yet.{' '}
                <Link className="q-link" to="/measures/new">
                  Define the first one
                </Link>
                .
              </Text>
            )}
            <MultiSelect
              label="They decide"
              description="The first is the one that the plan is made for. Few are better: each more makes all of them harder to show."
              data={choices}
              searchable
              hidePickedOptions
              value={[...draft.metrics]}
              onChange={(metrics) => {
                set({ metrics, secondary: draft.secondary.filter((metric) => !metrics.includes(metric)) });
              }}
            />
            {first !== undefined && <span className="q-list-note">{metricWords(first)}</span>}
            <div>
              <Text fw={550} size="sm">
                They must not be harmed
              </Text>
              <Text size="xs" c="dimmed" mb={8}>
                Watched all the time at no cost of certainty. The margin is the loss that you bear.
              </Text>
              <Stack gap={8}>
                {draft.guardrails.map((guardrail, index) => (
                  <div key={index} className="q-guard">
                    <NativeSelect
                      size="xs"
                      aria-label={`Metric of guardrail ${(index + 1).toString()}`}
                      data={[{ value: '', label: 'Choose a metric' }, ...choices]}
                      value={guardrail.metric}
                      onChange={(event) => {
                        setGuard(index, { metric: event.currentTarget.value });
                      }}
                    />
                    <NumberInput
                      size="xs"
                      aria-label={`Margin of guardrail ${(index + 1).toString()}`}
                      prefix="−"
                      suffix=" %"
                      min={0}
                      max={99}
                      step={0.5}
                      decimalScale={2}
                      value={guardrail.marginPercent}
                      onChange={(value) => {
                        setGuard(index, { marginPercent: Number(value) || 0 });
                      }}
                    />
                    <NativeSelect
                      size="xs"
                      aria-label={`What guardrail ${(index + 1).toString()} does`}
                      data={[...actions]}
                      value={guardrail.action}
                      onChange={(event) => {
                        setGuard(index, { action: actions.find(({ value }) => value === event.currentTarget.value)?.value ?? 'warn' });
                      }}
                    />
                    <ActionIcon
                      variant="default"
                      size={30}
                      aria-label={`Remove guardrail ${(index + 1).toString()}`}
                      onClick={() => {
                        set({ guardrails: draft.guardrails.filter((_, at) => at !== index) });
                      }}
                    >
                      <IconX size={14} />
                    </ActionIcon>
                  </div>
                ))}
              </Stack>
              <Button
                size="compact-xs"
                variant="default"
                mt={draft.guardrails.length > 0 ? 8 : 0}
                leftSection={<IconPlus size={12} />}
                onClick={() => {
                  set({ guardrails: [...draft.guardrails, { metric: '', marginPercent: 2, action: 'warn' }] });
                }}
              >
                Guardrail
              </Button>
            </div>
            <MultiSelect
              label="They are only shown"
              data={choices.filter(({ value }) => !draft.metrics.includes(value))}
              searchable
              hidePickedOptions
              value={[...draft.secondary]}
              onChange={(secondary) => {
                set({ secondary });
              }}
            />
          </Stack>
        );
      }}
    </Loaded>
  );
}
