import { Button, Checkbox, Group, Modal, NativeSelect, NumberInput, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { modelKeys, saveModel, type ModelBody, type ModelFamily } from '../../api/models';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { keyOf } from '../experiments/draft';
import { bodyOf, emptyDraft, type ModelDraft } from './draft';
import { families, familyQuestion } from './words';

interface ModelFormProps {
  /** The model that is changed; absent for a new one. */
  readonly model?: { readonly key: string; readonly draft: ModelDraft; readonly body: ModelBody; readonly etag: string };
  readonly onSaved: (key: string) => void;
  readonly onClose: () => void;
}

const choices = Object.entries(families).map(([value, { name }]) => ({ value, label: name }));

/** Says what is to be predicted. */
export function ModelForm({ model, onSaved, onClose }: ModelFormProps) {
  const queries = useQueryClient();
  const [draft, setDraft] = useState<ModelDraft>(model?.draft ?? emptyDraft);
  const change = (part: Partial<ModelDraft>) => {
    setDraft((before) => ({ ...before, ...part }));
  };
  const key = model?.key ?? keyOf(draft.name);
  const save = useMutation({
    mutationFn: () => saveModel(key, bodyOf(draft, model?.body), model?.etag ?? ''),
    onSuccess: async () => {
      await Promise.all(modelKeys.map((queryKey) => queries.invalidateQueries({ queryKey })));
      onSaved(key);
    },
  });
  return (
    <Modal opened onClose={onClose} title={model === undefined ? 'New model' : `Change ${model.key}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack gap="sm">
          <TextInput label="Name" required maxLength={64} value={draft.name} onChange={(event) => { change({ name: event.currentTarget.value }); }} data-autofocus />
          <NativeSelect
            label="Family"
            description={familyQuestion(draft.family)}
            data={choices}
            value={draft.family}
            disabled={model !== undefined}
            onChange={(event) => { change({ family: event.currentTarget.value as ModelFamily }); }}
          />
          {draft.family !== 'send-time' && (
            <NumberInput label="Horizon" description="Days that are predicted" suffix=" days" min={1} max={730} value={draft.horizonDays} onChange={(value) => { change({ horizonDays: Number(value) }); }} />
          )}
          {draft.family !== 'lifetime' && (
            <NumberInput label="People of the last" description="Who did something in so many days is predicted" suffix=" days" min={1} max={1460} value={draft.activeDays} onChange={(value) => { change({ activeDays: Number(value) }); }} />
          )}
          {draft.family === 'lifetime' && (
            <>
              <TextInput label="Value of a purchase" description="A numeric property, such as margin" placeholder="revenue" value={draft.value} onChange={(event) => { change({ value: event.currentTarget.value }); }} />
              <TextInput label="Segments that may differ" description="At most five keys; each gets parameters of its own where they differ beyond chance" value={draft.segments} onChange={(event) => { change({ segments: event.currentTarget.value }); }} />
              <TextInput label="Who brought them" description="Property with the userId of the referrer: what people bring is then added up" placeholder="referredBy" value={draft.referrer} onChange={(event) => { change({ referrer: event.currentTarget.value }); }} />
            </>
          )}
          {draft.family === 'send-time' && (
            <TextInput label="Channel" description="Messages of all channels when empty" value={draft.channel} onChange={(event) => { change({ channel: event.currentTarget.value }); }} />
          )}
          {draft.family === 'uplift' && <UpliftFields draft={draft} change={change} />}
          <Checkbox label="Use a new version by itself when it is better beyond chance" checked={draft.autoPromote} onChange={(event) => { change({ autoPromote: event.currentTarget.checked }); }} />
          <Checkbox label="Paused: trained and scored only when somebody asks" checked={draft.paused} onChange={(event) => { change({ paused: event.currentTarget.checked }); }} />
          {save.isError && <ProblemPanel error={save.error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending}>
              {model === undefined ? 'Create' : 'Save'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function UpliftFields({ draft, change }: { readonly draft: ModelDraft; readonly change: (part: Partial<ModelDraft>) => void }) {
  return (
    <>
      <TextInput label="Experiment" description="Its exposures are learnt from" required value={draft.experiment} onChange={(event) => { change({ experiment: event.currentTarget.value }); }} />
      <Group grow align="flex-start">
        <TextInput label="Control variant" value={draft.control} onChange={(event) => { change({ control: event.currentTarget.value }); }} />
        <TextInput label="Treatments" required placeholder="email, push" value={draft.treatments} onChange={(event) => { change({ treatments: event.currentTarget.value }); }} />
      </Group>
      <Group grow align="flex-start">
        <NativeSelect
          label="Outcome"
          data={[
            { value: 'purchase', label: 'A purchase' },
            { value: 'value', label: 'Its value' },
          ]}
          value={draft.outcome}
          onChange={(event) => { change({ outcome: event.currentTarget.value === 'value' ? 'value' : 'purchase' }); }}
        />
        <NumberInput label="Cost of one" description="In units of the outcome" min={0} step={0.01} value={draft.cost} onChange={(value) => { change({ cost: Number(value) }); }} />
      </Group>
    </>
  );
}
