import { Button, Group, Modal, NumberInput, Select, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { fillTemplate, scenarioTemplatesQuery } from '../../api/scenarios';
import type { ScenarioTemplate } from '../../api/types';
import { Loaded } from '../../parts/Loaded';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { useChoices } from '../campaigns/useChoices';
import './scenarios.css';

/** Ready scenarios to adapt. */
export function TemplatesPage() {
  const templates = useQuery(scenarioTemplatesQuery);
  const [chosen, setChosen] = useState<ScenarioTemplate | null>(null);
  return (
    <>
      <PageHeader parent={{ to: '/scenarios', label: 'Scenarios' }} title="Templates" note="Fill in the names that your shop uses, then change whatever you like before it is saved." />
      <Panel>
        <Loaded query={templates} skeleton={<SkeletonBlock height={480} />}>
          {(data) => (
            <ul className="q-templates">
              {data.items.map((template) => (
                <li key={template.key} className="q-template">
                  <Group justify="space-between" gap="xs">
                    <b>{template.title}</b>
                    <Tag tone="quiet">{template.stage}</Tag>
                  </Group>
                  <p className="q-muted">{template.description}</p>
                  <Button size="compact-xs" variant="default" aria-label={`Use ${template.title}`} onClick={() => { setChosen(template); }}>
                    Use it
                  </Button>
                </li>
              ))}
            </ul>
          )}
        </Loaded>
      </Panel>
      {chosen !== null && <Fill template={chosen} onClose={() => { setChosen(null); }} />}
    </>
  );
}

type Values = Readonly<Record<string, string | number>>;

function Fill({ template, onClose }: { readonly template: ScenarioTemplate; readonly onClose: () => void }) {
  const choices = useChoices();
  const navigate = useNavigate();
  const [values, setValues] = useState<Values>(() =>
    Object.fromEntries(template.variables.flatMap(({ name, default: value }) => (typeof value === 'string' || typeof value === 'number' ? [[name, value]] : []))),
  );
  const fill = useMutation({
    mutationFn: () => fillTemplate(template.key, values),
    onSuccess: (filled) => navigate('/scenarios/new', { state: { filled } }),
  });
  const set = (name: string, value: string | number) => {
    fill.reset();
    setValues((was) => ({ ...was, [name]: value }));
  };
  const lists: Readonly<Record<string, readonly string[]>> = { 'decision-point': choices.points, segment: choices.segments, purpose: choices.purposes };
  return (
    <Modal opened onClose={onClose} title={template.title} size="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          fill.mutate();
        }}
      >
        <Stack gap="sm">
          <Text>{template.description}</Text>
          {fill.isError && <ProblemPanel error={fill.error} />}
          {template.variables.map(({ name, title, kind }) => {
            const list = lists[kind];
            if (list !== undefined) {
              return <Select key={name} label={title} searchable data={[...list]} value={(values[name] ?? null) as string | null} onChange={(value) => { set(name, value ?? ''); }} />;
            }
            if (kind === 'number') return <NumberInput key={name} label={title} value={values[name] ?? ''} onChange={(value) => { set(name, Number(value)); }} />;
            return <TextInput key={name} label={title} value={values[name] ?? ''} onChange={(event) => { set(name, event.currentTarget.value); }} />;
          })}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={fill.isPending}>
              Open in the editor
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
