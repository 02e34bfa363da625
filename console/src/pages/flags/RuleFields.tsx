import { ActionIcon, Group, NativeSelect, NumberInput, SegmentedControl, Stack, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconArrowDown, IconArrowUp, IconX } from '@tabler/icons-react';
import { experimentsQuery } from '../../api/experiments';
import { faultsOf, type FlagType, type RuleText } from './form';
import { ValueField } from './FlagPage';

interface RuleFieldsProps {
  readonly rule: RuleText;
  readonly index: number;
  readonly type: FlagType;
  readonly last: boolean;
  readonly onChange: (rule: RuleText) => void;
  readonly onMove: (by: number) => void;
  readonly onRemove: () => void;
}

/** One rule: whom it is for, and what they get. */
export function RuleFields({ rule, index, type, last, onChange, onMove, onRemove }: RuleFieldsProps) {
  const experiments = useQuery(experimentsQuery());
  const set = (change: Partial<RuleText>) => {
    onChange({ ...rule, ...change });
  };
  const chosen = experiments.data?.items.find(({ key }) => key === rule.experiment);
  const faults = faultsOf(rule, type);
  return (
    <fieldset className="q-flag-rule">
      <legend className="q-hidden-label">Rule {index + 1}</legend>
      <Group justify="space-between" mb={8}>
        <Group gap="xs">
          <span className="q-wizard-mark">{index + 1}</span>
          <TextInput size="xs" w={150} aria-label={`Key of rule ${(index + 1).toString()}`} value={rule.key} onChange={(event) => { set({ key: event.currentTarget.value }); }} />
          <SegmentedControl
            size="xs"
            aria-label={`What rule ${(index + 1).toString()} gives`}
            data={[
              { value: 'value', label: 'A value' },
              { value: 'experiment', label: 'An experiment' },
            ]}
            value={rule.kind}
            onChange={(value) => {
              set({ kind: value === 'experiment' ? 'experiment' : 'value' });
            }}
          />
        </Group>
        <Group gap={4}>
          <ActionIcon variant="default" aria-label={`Move rule ${(index + 1).toString()} up`} disabled={index === 0} onClick={() => { onMove(-1); }}>
            <IconArrowUp size={14} />
          </ActionIcon>
          <ActionIcon variant="default" aria-label={`Move rule ${(index + 1).toString()} down`} disabled={last} onClick={() => { onMove(1); }}>
            <IconArrowDown size={14} />
          </ActionIcon>
          <ActionIcon variant="default" aria-label={`Remove rule ${(index + 1).toString()}`} onClick={onRemove}>
            <IconX size={14} />
          </ActionIcon>
        </Group>
      </Group>
      <div className="q-flag-rule-fields">
        <Textarea
          label="For whom"
          description="A condition as JSON; everybody when empty"
          placeholder={'{"country": "DE", "segments": {"$in": ["loyal"]}}'}
          autosize
          minRows={2}
          spellCheck={false}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.78125rem' } }}
          value={rule.condition}
          onChange={(event) => {
            set({ condition: event.currentTarget.value });
          }}
        />
        {rule.kind === 'value' ? (
          <Stack gap="sm">
            <ValueField label="They get" type={type} value={rule.value} onChange={(value) => { set({ value }); }} />
            <NumberInput label="Share of them" suffix=" %" min={0} max={100} decimalScale={2} value={rule.coveragePercent} onChange={(value) => { set({ coveragePercent: Number(value) || 0 }); }} />
          </Stack>
        ) : (
          <Stack gap="sm">
            <NativeSelect
              label="Experiment"
              data={[{ value: '', label: 'Choose an experiment' }, ...(experiments.data?.items ?? []).map(({ key, name }) => ({ value: key, label: name ?? key }))]}
              value={rule.experiment}
              onChange={(event) => {
                const { value } = event.currentTarget;
                const found = experiments.data?.items.find(({ key }) => key === value);
                set({ experiment: value, values: Object.fromEntries((found?.variants ?? []).map((variant) => [variant.key, rule.values[variant.key] ?? (type === 'boolean' ? (variant.control === true ? 'false' : 'true') : '')])) });
              }}
            />
            {(chosen?.variants ?? []).map((variant) => (
              <ValueField key={variant.key} label={`Value of ${variant.name ?? variant.key}`} type={type} value={rule.values[variant.key] ?? ''} onChange={(value) => { set({ values: { ...rule.values, [variant.key]: value } }); }} />
            ))}
          </Stack>
        )}
      </div>
      {faults.length > 0 && <p className="q-list-note">{faults.join(' ')}</p>}
    </fieldset>
  );
}
