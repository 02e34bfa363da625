import { Button, Checkbox, Group, Modal, NativeSelect, NumberInput, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { policyKeys, putCandidate } from '../../api/policies';
import type { NewCandidate } from '../../api/types';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { keyOf } from '../experiments/draft';

interface CandidateFormProps {
  readonly pointKey: string;
  readonly onClose: () => void;
}

const types = [
  { value: 'bandit', label: 'Bandit: learned' },
  { value: 'uniform', label: 'Uniform: all actions alike' },
  { value: 'fixed', label: 'Fixed: always one action' },
];

type Method = NonNullable<NewCandidate['policy']['method']>;

const methods: readonly { readonly value: Method; readonly label: string }[] = [
  { value: 'thompson', label: 'Thompson sampling' },
  { value: 'squarecb', label: 'SquareCB: by the inverse gap' },
  { value: 'greedy', label: 'The best, but for what is explored' },
];

/** Describes a candidate policy. */
export function CandidateForm({ pointKey, onClose }: CandidateFormProps) {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [type, setType] = useState('bandit');
  const [action, setAction] = useState('');
  const [exploration, setExploration] = useState(5);
  const [method, setMethod] = useState<Method>('thompson');
  const [alpha, setAlpha] = useState(0.5);
  const [halfLife, setHalfLife] = useState(30);
  const [delays, setDelays] = useState(false);
  const [automatic, setAutomatic] = useState(false);
  const save = useMutation({
    mutationFn: () => {
      const policy: NewCandidate['policy'] =
        type === 'bandit'
          ? { type, method, exploration: exploration / 100, halfLifeDays: halfLife, correctDelays: delays, ...(method === 'thompson' ? { alpha } : {}) }
          : type === 'fixed'
            ? { type, action }
            : { type: 'uniform' };
      return putCandidate(pointKey, keyOf(name), { name, policy, automatic });
    },
    onSuccess: async () => {
      await Promise.all(policyKeys(pointKey).map((queryKey) => queries.invalidateQueries({ queryKey })));
      onClose();
    },
  });
  const figure = (set: (value: number) => void) => (value: string | number) => {
    set(Number(value));
  };
  return (
    <Modal opened onClose={onClose} title="Add a candidate">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack gap="sm">
          <TextInput
            label="Name"
            required
            maxLength={64}
            value={name}
            onChange={(event) => {
              setName(event.currentTarget.value);
            }}
            data-autofocus
          />
          <NativeSelect
            label="Policy"
            data={types}
            value={type}
            onChange={(event) => {
              setType(event.currentTarget.value);
            }}
          />
          {type === 'fixed' && (
            <TextInput
              label="Action"
              description="offer/channel/creative, or none"
              required
              value={action}
              onChange={(event) => {
                setAction(event.currentTarget.value);
              }}
            />
          )}
          {type === 'bandit' && (
            <>
              <NumberInput label="Explored evenly" suffix=" %" min={1} max={100} value={exploration} onChange={figure(setExploration)} />
              <NativeSelect
                label="How it explores"
                data={methods}
                value={method}
                onChange={(event) => {
                  setMethod(methods.find(({ value }) => value === event.currentTarget.value)?.value ?? 'thompson');
                }}
              />
              {method === 'thompson' && (
                <NumberInput label="Scale of the deviation" description="Below 1 it explores less than Thompson's rule" min={0.01} max={10} step={0.05} value={alpha} onChange={figure(setAlpha)} />
              )}
              <NumberInput label="Half-life" suffix=" days" min={1} max={3650} value={halfLife} onChange={figure(setHalfLife)} />
              <Checkbox
                label="Correct for rewards that are still on their way"
                checked={delays}
                onChange={(event) => {
                  setDelays(event.currentTarget.checked);
                }}
              />
            </>
          )}
          <Checkbox
            label="Promote it as soon as the gate lets it pass"
            checked={automatic}
            onChange={(event) => {
              setAutomatic(event.currentTarget.checked);
            }}
          />
          {save.isError && <ProblemPanel error={save.error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending}>
              Add
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
