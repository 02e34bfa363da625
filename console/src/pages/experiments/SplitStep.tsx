import { ActionIcon, Button, Group, NumberInput, Radio, Stack, Text, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { evenly, type ArmText } from './draft';
import { Split } from './Split';
import type { StepProps } from './step';

export function SplitStep({ draft, set, started }: StepProps) {
  const setArm = (index: number, change: Partial<ArmText>) => {
    set({ arms: draft.arms.map((arm, at) => (at === index ? { ...arm, ...change } : arm)) });
  };
  return (
    <Stack gap="sm">
      <Split variants={draft.arms.map((arm) => ({ key: arm.key, weight: arm.percent / 100, control: arm.control }))} />
      <div className="q-arm q-grid-head" aria-hidden="true">
        <span>Key</span>
        <span>Name</span>
        <span>Share</span>
        <span>Control</span>
        <span>Policy, as JSON</span>
        <span />
      </div>
      {draft.arms.map((arm, index) => {
        const named = arm.key.trim() === '' ? `arm ${(index + 1).toString()}` : arm.key.trim();
        return (
          <div key={index} className="q-arm">
            <TextInput size="xs" aria-label={`Key of arm ${(index + 1).toString()}`} disabled={started} value={arm.key} onChange={(event) => { setArm(index, { key: event.currentTarget.value }); }} />
            <TextInput size="xs" aria-label={`Name of ${named}`} placeholder="shown in reports" value={arm.name} onChange={(event) => { setArm(index, { name: event.currentTarget.value }); }} />
            <NumberInput size="xs" aria-label={`Share of ${named}`} suffix=" %" min={0} max={100} decimalScale={4} disabled={started} value={arm.percent} onChange={(value) => { setArm(index, { percent: Number(value) || 0 }); }} />
            <Radio
              size="xs"
              label="control"
              aria-label={`${named} is the control`}
              disabled={started}
              checked={arm.control}
              onChange={() => {
                set({ arms: draft.arms.map((each, at) => ({ ...each, control: at === index })) });
              }}
            />
            <TextInput
              size="xs"
              aria-label={`Policy of ${named}`}
              disabled={started || draft.decisionPoint === ''}
              placeholder={draft.decisionPoint === '' ? 'told by the flag or the other system' : arm.control ? 'the default action' : 'the decision point’s own'}
              styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.75rem' } }}
              value={arm.policy}
              onChange={(event) => {
                setArm(index, { policy: event.currentTarget.value });
              }}
            />
            <ActionIcon
              variant="default"
              size={30}
              aria-label={`Remove ${named}`}
              disabled={started || draft.arms.length <= 2}
              onClick={() => {
                set({ arms: evenly(draft.arms.filter((_, at) => at !== index)) });
              }}
            >
              <IconX size={14} />
            </ActionIcon>
          </div>
        );
      })}
      {!started && (
        <Group gap="xs">
          <Button
            size="compact-xs"
            variant="default"
            leftSection={<IconPlus size={12} />}
            onClick={() => {
              set({ arms: evenly([...draft.arms, { key: `variant-${draft.arms.length.toString()}`, name: '', percent: 0, control: false, policy: '', dropped: false }]) });
            }}
          >
            Arm
          </Button>
          <Button
            size="compact-xs"
            variant="default"
            onClick={() => {
              set({ arms: evenly(draft.arms) });
            }}
          >
            Split evenly
          </Button>
        </Group>
      )}
      <Text size="xs" c="dimmed">
        Arms of equal size need the fewest people. Each more arm makes all of them slower.
      </Text>
    </Stack>
  );
}
