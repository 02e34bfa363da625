import { NativeSelect, Stack, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { pointsQuery } from '../../api/points';
import { keyOf } from './draft';
import type { StepProps } from './step';

export function HypothesisStep({ draft, set, started, fresh }: StepProps & { readonly fresh: boolean }) {
  const points = useQuery(pointsQuery);
  const known = (points.data?.items ?? []).map(({ key }) => key);
  return (
    <Stack gap="sm" maw={680}>
      <TextInput
        label="Name"
        data-autofocus
        placeholder="Free delivery from 30"
        value={draft.name}
        onChange={(event) => {
          const name = event.currentTarget.value;
          set({ name, ...(fresh && (draft.key === '' || draft.key === keyOf(draft.name)) ? { key: keyOf(name) } : {}) });
        }}
      />
      {fresh && (
        <TextInput
          label="Key"
          description="Its name in the API, in exposures and in SQL; it does not change"
          value={draft.key}
          onChange={(event) => {
            set({ key: keyOf(event.currentTarget.value) });
          }}
        />
      )}
      <Textarea
        label="Hypothesis"
        description="What will happen, for whom, and why you believe so"
        placeholder="People who see free delivery from 30 order more often, as the cost of delivery is what they leave for."
        autosize
        minRows={3}
        value={draft.hypothesis}
        onChange={(event) => {
          set({ hypothesis: event.currentTarget.value });
        }}
      />
      <NativeSelect
        label="Where it acts"
        description="Its variants replace the policy of a decision point; without one another system or a flag shows them and sends exposures"
        disabled={started}
        data={[{ value: '', label: 'A flag, or another system' }, ...known, ...(draft.decisionPoint === '' || known.includes(draft.decisionPoint) ? [] : [draft.decisionPoint])]}
        value={draft.decisionPoint}
        onChange={(event) => {
          set({ decisionPoint: event.currentTarget.value });
        }}
      />
    </Stack>
  );
}
