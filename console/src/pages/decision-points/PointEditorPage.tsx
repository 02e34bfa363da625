import { Button, Checkbox, JsonInput, MultiSelect, NumberInput, Select, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { useWhyNot } from '../../api/may';
import { pointChoicesQuery, pointQuery, savePoint } from '../../api/points';
import { asProblem, Problem } from '../../api/problem';
import type { DecisionPoint } from '../../api/types';
import { messageAt, unplaced } from '../../parts/findings';
import { Loaded } from '../../parts/Loaded';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import '../campaigns/campaigns.css';
import { keyOf } from '../experiments/draft';
import { blank, bodyOf, draftOf, faults, type Draft } from './draft';
import { ExposureEditor } from './ExposureEditor';
import { methods, policyTypes } from './policyText';

/** Makes a decision point, or changes one. */
export function PointEditorPage() {
  const { key = '' } = useParams();
  const query = useQuery({ ...pointQuery(key), enabled: key !== '', refetchOnWindowFocus: false, refetchOnMount: 'always' });
  if (key === '') return <Editor key="" />;
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={640} />}>
      {(found) => <Editor key={found.version} found={found} />}
    </Loaded>
  );
}

type Texts = { readonly [K in keyof Draft]: Draft[K] extends string ? K : never }[keyof Draft];

const fields = ['name', 'key', 'offers', 'channels', 'defaultAction', 'policy.model', 'policy.action', 'policy.exploration', 'policy.method', 'policy.alpha', 'policy.halfLifeDays', 'policy.exposure', 'policy.rules', 'audience', 'features', 'creatives', 'objective', 'costs', 'policy.where', 'policy.how'];

function Editor({ found }: { readonly found?: DecisionPoint }) {
  const refused = useWhyNot('define');
  const choices = useQuery(pointChoicesQuery);
  const [draft, setDraft] = useState<Draft>(() => (found === undefined ? blank : draftOf(found)));
  const [ownKey, setOwnKey] = useState('');
  const navigate = useNavigate();
  const queries = useQueryClient();
  const key = found?.key ?? (ownKey || keyOf(draft.name));
  const set = (change: Partial<Draft>) => {
    save.reset();
    setDraft((was) => ({ ...was, ...change }));
  };
  const save = useMutation({
    mutationFn: () => savePoint(key, bodyOf(draft), found?.version ?? null),
    onSuccess: async () => {
      await Promise.all([['decision-point', key], ['decision-points'], ['policy', key]].map((queryKey) => queries.invalidateQueries({ queryKey })));
      await navigate(`/decision-points/${encodeURIComponent(key)}`);
    },
  });
  const problem = save.isError ? asProblem(save.error) : null;
  const findings = problem?.findings ?? [];
  const wrong = faults(draft);
  const at = (field: string) => messageAt(findings, field) || undefined;
  const rest = unplaced(findings, fields);
  const json = (name: Texts, label: string, description: string, field: string = name) => (
    <JsonInput label={label} description={description} autosize minRows={1} maxRows={14} value={draft[name]} error={wrong[name] ?? at(field)} onChange={(value) => { set({ [name]: value }); }} />
  );
  const learns = draft.type === 'bandit' || [draft.where, draft.how].some((stage) => stage.includes('"bandit"'));
  const explores = draft.type !== 'fixed' && draft.type !== 'uniform';
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (Object.keys(wrong).length === 0) save.mutate();
      }}
    >
      <PageHeader
        parent={{ to: '/decision-points', label: 'Decision points' }}
        title={found === undefined ? 'New decision point' : `Edit ${found.name ?? key}`}
        actions={
          <>
            <Button size="xs" variant="default" component={Link} to={found === undefined ? '/decision-points' : `/decision-points/${encodeURIComponent(key)}`}>
              Cancel
            </Button>
            <Button size="xs" type="submit" loading={save.isPending} disabled={refused !== '' || key === '' || Object.keys(wrong).length > 0} title={refused}>
              Save
            </Button>
          </>
        }
      />
      {problem !== null && (findings.length === 0 || rest.length > 0) && <ProblemPanel error={new Problem(problem.status, problem.title, problem.detail, rest)} />}
      <div className="q-stack">
        <Panel title="What it is">
          <div className="q-form">
            <TextInput label="Name" value={draft.name} error={at('name')} onChange={(event) => { set({ name: event.currentTarget.value }); }} />
            <TextInput label="Key" disabled={found !== undefined} value={key} error={at('key')} onChange={(event) => { setOwnKey(event.currentTarget.value); }} />
            <Select label="Class" description="Service messages skip holdouts, caps and quiet hours" allowDeselect={false} data={['advertising', 'service']} value={draft.class} onChange={(value) => { set({ class: value === 'service' ? 'service' : 'advertising' }); }} />
            <NumberInput label="Priority" description="Where contacts compete for a place under a cap, a higher one wins" min={0} max={100} allowDecimal={false} value={draft.priority} error={at('priority')} onChange={(value) => { set({ priority: Number(value) }); }} />
            <Checkbox label="Only watch: decide and log, send nothing" checked={draft.shadow} onChange={(event) => { set({ shadow: event.currentTarget.checked }); }} />
          </div>
        </Panel>
        <Panel title="Who" note="Everybody else gets nothing, with the reason.">
          <div className="q-form">
            {json('audience', 'Audience', 'Everybody when empty; such as {"plan": "paid"}')}
            {learns && <NumberInput label="Random group" description="Share for whom all actions are alike" min={0} max={0.5} step={0.01} value={draft.random} error={at('groups.random')} onChange={(value) => { set({ random: Number(value) }); }} />}
            {learns && <NumberInput label="Business-as-usual group" description="Share that gets the default action" min={0} max={0.5} step={0.01} value={draft.businessAsUsual} error={at('groups.businessAsUsual')} onChange={(value) => { set({ businessAsUsual: Number(value) }); }} />}
          </div>
        </Panel>
        <Panel title="What, where and how" note="Each offer on each channel in each creative is an action.">
          <div className="q-form">
            <MultiSelect label="Offers" searchable data={choices.data?.offers ?? [...draft.offers]} value={[...draft.offers]} error={at('offers')} onChange={(offers) => { set({ offers }); }} />
            <MultiSelect label="Channels" searchable data={choices.data?.channels ?? [...draft.channels]} value={[...draft.channels]} error={at('channels')} onChange={(channels) => { set({ channels }); }} />
            {json('creatives', 'Creatives', 'Each with a key, and tone, emphasis, background, imagery')}
            <TextInput label="Default action" description="Of the baseline and the fall-back: none or offer/channel/creative" value={draft.defaultAction} error={at('defaultAction')} onChange={(event) => { set({ defaultAction: event.currentTarget.value }); }} />
            <Checkbox label="Sending nothing is an action" checked={draft.none} onChange={(event) => { set({ none: event.currentTarget.checked }); }} />
          </div>
        </Panel>
        <Panel title="When">
          <div className="q-form">
            <Checkbox label="At one of the hours ahead, drawn" checked={draft.spread} onChange={(event) => { set({ spread: event.currentTarget.checked }); }} />
            {draft.spread && <NumberInput label="Within hours" min={1} max={168} value={draft.withinHours} error={at('when.withinHours')} onChange={(value) => { set({ withinHours: Number(value) }); }} />}
          </div>
        </Panel>
        <Panel title="How it chooses" note="The policy chooses the whole action, unless where and how have policies of their own.">
          <div className="q-form">
            <Select label="Policy" allowDeselect={false} data={policyTypes.map(({ value, label }) => ({ value, label }))} value={draft.type} error={at('policy.type')} onChange={(value) => { set({ type: policyTypes.find((each) => each.value === value)?.value ?? 'uniform' }); }} />
            {explores && <NumberInput label="Exploration" description="Share spread evenly" min={0} max={1} step={0.01} value={draft.exploration} error={at('policy.exploration')} onChange={(value) => { set({ exploration: value === '' ? '' : Number(value) }); }} />}
            {draft.type === 'bandit' && <Select label="Method" description="How what it expects becomes probabilities" allowDeselect={false} data={methods.map(({ value, label }) => ({ value, label }))} value={draft.method} error={at('policy.method')} onChange={(value) => { set({ method: methods.find((each) => each.value === value)?.value ?? 'thompson' }); }} />}
            {draft.type === 'bandit' && <NumberInput label="Spread α" description="How much what is hardly known is tried" min={0.01} max={10} step={0.1} value={draft.alpha} error={at('policy.alpha')} onChange={(value) => { set({ alpha: Number(value) }); }} />}
            {draft.type === 'bandit' && <NumberInput label="Half-life in days" description="Age at which a decision counts half" min={1} max={3650} value={draft.halfLifeDays} error={at('policy.halfLifeDays')} onChange={(value) => { set({ halfLifeDays: Number(value) }); }} />}
            {draft.type === 'fixed' && <TextInput label="Action" value={draft.action} error={at('policy.action')} onChange={(event) => { set({ action: event.currentTarget.value }); }} />}
            {draft.type === 'rules' && json('rules', 'Rules', 'The first that has the person decides: [{"when": {…}, "actions": ["offer/*/*"]}]', 'policy.rules')}
            {draft.type === 'model' && <TextInput label="Model" description="Key of a model of uplift" value={draft.model} error={at('policy.model')} onChange={(event) => { set({ model: event.currentTarget.value }); }} />}
            {draft.type === 'model' && <Select label="Its treatments are" allowDeselect={false} data={['offer', 'channel', 'creative', 'action']} value={draft.treatment} onChange={(value) => { set({ treatment: (value ?? 'offer') as Draft['treatment'] }); }} />}
            {json('where', 'Policy of where', 'Such as {"type": "rules", "rules": [{"actions": ["*/email/*"]}]}', 'policy.where')}
            {json('how', 'Policy of how', 'Such as {"type": "bandit"}', 'policy.how')}
            {json('features', 'Features', 'What the policy may know, for what learns')}
          </div>
        </Panel>
        <Panel title="Bounds of exposure" note="Whatever the policy makes of them, these actions are chosen at least, or at most, with such a probability.">
          <ExposureEditor bounds={draft.exposure} error={at('policy.exposure')} wrong={wrong} onChange={(exposure) => { set({ exposure }); }} />
        </Panel>
        <Panel title="What counts">
          <div className="q-form">
            {json('objective', 'Objective', 'Terms with their weights, and the hours in which they count')}
            {json('costs', 'Costs', 'Such as {"contact": true, "fatigue": 0.05, "hurdle": 0.1}')}
          </div>
        </Panel>
      </div>
    </form>
  );
}
