import { Button, NumberInput, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { experienceSettingsQuery, saveExperienceSettings } from '../../api/experience';
import { useMay } from '../../api/may';
import { asProblem } from '../../api/problem';
import type { ExperienceSettings } from '../../api/types';
import { Loaded } from '../../parts/Loaded';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonRows } from '../../parts/Skeletons';

/** Which events are answers to surveys, and for how long a customer is active. */
export function SettingsView() {
  const settings = useQuery(experienceSettingsQuery);
  return (
    <Panel title="Surveys and activity" note="Which events are answers to surveys, where the answer stands in them, and for how long an order makes a customer active.">
      <Loaded query={settings} skeleton={<SkeletonRows rows={6} />}>
        {(data) => <SettingsForm settings={data} />}
      </Loaded>
    </Panel>
  );
}

function SettingsForm({ settings }: { readonly settings: ExperienceSettings }) {
  const queries = useQueryClient();
  const [surveys, setSurveys] = useState<string[]>(settings.surveys ?? []);
  const [kindProperty, setKind] = useState(settings.kindProperty ?? '');
  const [scoreProperty, setScore] = useState(settings.scoreProperty ?? '');
  const [scaleProperty, setScale] = useState(settings.scaleProperty ?? '');
  const [satisfied, setSatisfied] = useState<number | string>(Number(((settings.satisfiedAt ?? 0.8) * 100).toFixed(6)));
  const [activeDays, setActiveDays] = useState<number | string>(settings.activeDays ?? 90);
  const save = useMutation({
    mutationFn: () =>
      saveExperienceSettings({
        version: settings.version,
        surveys,
        kindProperty: kindProperty.trim(),
        scoreProperty: scoreProperty.trim(),
        scaleProperty: scaleProperty.trim(),
        // What is left empty gets the preset.
        ...(typeof satisfied === 'number' ? { satisfiedAt: satisfied / 100 } : {}),
        ...(typeof activeDays === 'number' ? { activeDays } : {}),
      }),
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: experienceSettingsQuery.queryKey }), queries.invalidateQueries({ queryKey: ['experience'] })]),
  });
  const problem = save.isError ? asProblem(save.error) : null;
  const at = (field: string) => problem?.findings.find(({ location }) => location === field || location.startsWith(`${field}[`))?.message ?? null;
  const may = useMay('admin');
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <Stack gap="sm" maw={520}>
        {problem !== null && <ProblemPanel error={save.error} />}
        <TagsInput
          label="Survey events"
          description="Names of the events that are an answer; Enter adds one. Survey Answered when empty"
          readOnly={!may}
          value={surveys}
          onChange={setSurveys}
          error={at('surveys')}
          maxTags={20}
        />
        <TextInput
          label="Property with the kind"
          description="Its value is nps, csat or ces"
          readOnly={!may}
          value={kindProperty}
          error={at('kindProperty')}
          onChange={(event) => {
            setKind(event.currentTarget.value);
          }}
        />
        <TextInput
          label="Property with the answer"
          description="A number"
          readOnly={!may}
          value={scoreProperty}
          error={at('scoreProperty')}
          onChange={(event) => {
            setScore(event.currentTarget.value);
          }}
        />
        <TextInput
          label="Property with the best possible answer"
          description="Without it 10 for NPS, 5 for CSAT and 7 for CES"
          readOnly={!may}
          value={scaleProperty}
          error={at('scaleProperty')}
          onChange={(event) => {
            setScale(event.currentTarget.value);
          }}
        />
        <NumberInput
          label="Satisfied from"
          description="Share of the scale from which on an answer counts as satisfied: 80% is 4 of 5"
          suffix=" %"
          readOnly={!may}
          value={satisfied}
          error={at('satisfiedAt')}
          onChange={setSatisfied}
        />
        <NumberInput
          label="Active for"
          description="Days after an order during which a customer is active, for churn, gained and lost"
          suffix=" days"
          readOnly={!may}
          value={activeDays}
          error={at('activeDays')}
          onChange={setActiveDays}
        />
        {may && (
          <Button type="submit" loading={save.isPending} style={{ alignSelf: 'flex-start' }}>
            Save settings
          </Button>
        )}
        {save.isSuccess && <Text role="status">The settings are saved. Figures are computed by them from now on, also of the past.</Text>}
      </Stack>
    </form>
  );
}
