import { Autocomplete, MultiSelect, NumberInput, Radio, Slider, Stack, Text, Textarea } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { holdoutsQuery } from '../../api/holdouts';
import { segmentChoicesQuery } from '../../api/segments';
import { percent } from '../../format/number';
import type { StepProps } from './step';

export function AudienceStep({ draft, set, started }: StepProps) {
  const segments = useQuery(segmentChoicesQuery);
  const holdouts = useQuery(holdoutsQuery());
  return (
    <Stack gap="lg" maw={680}>
      <Radio.Group
        label="Who may take part"
        value={draft.audienceKind}
        onChange={(value) => {
          set({ audienceKind: value === 'segments' ? 'segments' : value === 'condition' ? 'condition' : 'everybody' });
        }}
      >
        <Stack gap={8} mt={6}>
          <Radio value="everybody" label="Everybody" />
          <Radio value="segments" label="People in a segment" />
          <Radio value="condition" label="A condition" description="Over traits, computed attributes, segments and context.*, as JSON" />
        </Stack>
      </Radio.Group>
      {draft.audienceKind === 'segments' && (
        <MultiSelect
          label="Segments"
          description="Whoever is in one of them"
          data={(segments.data?.items ?? []).map(({ key, name }) => ({ value: key, label: name === undefined || name === '' ? key : name }))}
          searchable
          value={[...draft.segments]}
          onChange={(value) => {
            set({ segments: value });
          }}
        />
      )}
      {draft.audienceKind === 'condition' && (
        <Textarea
          label="Condition"
          placeholder={'{"age": {"$gte": 18}, "context.device": "phone"}'}
          autosize
          minRows={4}
          spellCheck={false}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.78125rem' } }}
          value={draft.condition}
          onChange={(event) => {
            set({ condition: event.currentTarget.value });
          }}
        />
      )}
      <div>
        <div className="q-slider-label">
          <span id="coverage">Share of them who take part</span>
          <NumberInput
            size="xs"
            w={96}
            aria-labelledby="coverage"
            suffix=" %"
            min={0.01}
            max={100}
            decimalScale={2}
            value={draft.coveragePercent}
            onChange={(value) => {
              set({ coveragePercent: Number(value) || 0 });
            }}
          />
        </div>
        <Slider thumbLabel="Share of people" min={1} max={100} value={draft.coveragePercent} label={(value) => `${value.toString()}%`} onChange={(coveragePercent) => { set({ coveragePercent }); }} />
        {started && (
          <Text size="xs" c="dimmed" mt={4}>
            It can only rise: people would leave the experiment otherwise.
          </Text>
        )}
      </div>
      <MultiSelect
        label="Holdouts that it respects"
        description="Their people take no part. The universal one counts in any case where a decision point advertises."
        data={(holdouts.data?.items ?? []).filter(({ key }) => key !== 'universal').map(({ key, name, share }) => ({ value: key, label: `${name ?? key} (${percent(share)})` }))}
        value={[...draft.holdouts]}
        onChange={(value) => {
          set({ holdouts: value });
        }}
      />
      <Autocomplete
        label="What is assigned"
        description="A person, unless visitors are not known: then a device, session or account, or the name of an identifier"
        disabled={started}
        data={['person', 'device', 'session', 'account']}
        value={draft.unit}
        onChange={(unit) => {
          set({ unit });
        }}
      />
    </Stack>
  );
}
