import { Checkbox, JsonInput, NumberInput, Select, TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { ScenarioNode } from '../../api/types';
import { jsonFault } from '../campaigns/draft';
import { exits } from './graph';

interface NodeFieldsProps {
  readonly node: ScenarioNode;
  readonly nodes: readonly ScenarioNode[];
  readonly points: readonly string[];
  readonly segments: readonly string[];
  readonly onChange: (node: ScenarioNode) => void;
}

/** What a node does, as a form; also how it leads on, for who does not drag. */
export function NodeFields({ node, nodes, points, segments, onChange }: NodeFieldsProps) {
  const targets = nodes.filter(({ id, type }) => id !== node.id && type !== 'trigger').map(({ id, name }) => ({ value: id, label: name ?? id }));
  return (
    <div className="q-stack">
      <TextInput label="Name" value={node.name ?? ''} onChange={(event) => { onChange(given(node, 'name', event.currentTarget.value)); }} />
      {node.type === 'trigger' && <TriggerFields node={node} segments={segments} onChange={onChange} />}
      {node.type === 'wait' && <WaitFields node={node} onChange={onChange} />}
      {node.type === 'branch' && (
        <Json
          key={node.id}
          label="Condition"
          note={'Over traits, attributes, segments, entry and last, such as {"segments": {"$elemMatch": {"$eq": "vip"}}}'}
          value={node.branch?.condition}
          onChange={(condition) => { onChange({ ...node, branch: { condition: condition ?? {} } }); }}
        />
      )}
      {node.type === 'decide' && <StepFields node={node} points={points} onChange={onChange} />}
      {exits(node).map(({ side, label }) => (
        <Select
          key={side}
          label={label === '' ? 'Leads to' : `Leads to, where it ${side === 'next' ? 'did' : 'did not'} (${label})`}
          clearable={side === 'otherwise'}
          data={targets}
          value={node[side] ?? null}
          onChange={(value) => { onChange(given(node, side, value ?? '')); }}
        />
      ))}
    </div>
  );
}

/** A member set, or left out where nothing is said. */
function given<T extends object, K extends keyof T & string>(object: T, name: K, value: string): T {
  const { [name]: _, ...rest } = object;
  return (value === '' ? rest : { ...rest, [name]: value }) as T;
}

interface PartProps {
  readonly node: ScenarioNode;
  readonly onChange: (node: ScenarioNode) => void;
}

type TriggerOf = NonNullable<ScenarioNode['trigger']>;

const triggers: readonly { readonly value: TriggerOf['kind']; readonly label: string }[] = [
  { value: 'event', label: 'An event' },
  { value: 'absence', label: 'The absence of an event' },
  { value: 'segment-entered', label: 'Entering a segment' },
  { value: 'segment-left', label: 'Leaving a segment' },
  { value: 'date', label: 'A date' },
];

function TriggerFields({ node, segments, onChange }: PartProps & { readonly segments: readonly string[] }) {
  const trigger = node.trigger ?? { kind: 'event' };
  const set = (next: TriggerOf) => {
    onChange({ ...node, trigger: next });
  };
  const { kind } = trigger;
  const byEvent = kind === 'event' || kind === 'absence';
  return (
    <>
      <Select
        label="Begins with"
        allowDeselect={false}
        data={[...triggers]}
        value={kind}
        onChange={(value) => {
          const next = (value ?? 'event') as TriggerOf['kind'];
          set({ kind: next, ...(next === 'absence' ? { withinMinutes: 60 } : {}), ...(next === 'date' ? { at: '10:00' } : {}) });
        }}
      />
      {byEvent && <TextInput label="Event" value={trigger.event ?? ''} onChange={(event) => { set(given(trigger, 'event', event.currentTarget.value)); }} />}
      {kind === 'absence' && (
        <>
          <TextInput label="Does not follow" value={trigger.missing ?? ''} onChange={(event) => { set(given(trigger, 'missing', event.currentTarget.value)); }} />
          <NumberInput label="Within minutes" min={1} value={trigger.withinMinutes ?? ''} onChange={(value) => { set({ ...trigger, withinMinutes: Number(value) }); }} />
        </>
      )}
      {byEvent && <Json key={`${node.id}-where`} label="Only where" note="Condition on the properties of the event" value={trigger.where} onChange={(where) => { set(where === undefined ? omit(trigger, 'where') : { ...trigger, where }); }} />}
      {(kind === 'segment-entered' || kind === 'segment-left') && (
        <Select label="Segment" searchable data={[...segments]} value={trigger.segment ?? null} onChange={(value) => { set(given(trigger, 'segment', value ?? '')); }} />
      )}
      {kind === 'date' && (
        <>
          <TextInput label="Trait or attribute with the date" value={trigger.attribute ?? ''} onChange={(event) => { set(given(trigger, 'attribute', event.currentTarget.value)); }} />
          <Checkbox label="Every year on that day" checked={trigger.yearly ?? false} onChange={(event) => { set({ ...trigger, yearly: event.currentTarget.checked }); }} />
          <NumberInput label="Days after it" description="Negative for before" min={-365} max={365} value={trigger.offsetDays ?? 0} onChange={(value) => { set({ ...trigger, offsetDays: Number(value) }); }} />
          <TextInput label="At" description="In each person's time zone" value={trigger.at ?? ''} onChange={(event) => { set(given(trigger, 'at', event.currentTarget.value)); }} />
        </>
      )}
      <Json key={`${node.id}-audience`} label="Only people who" note="Condition over traits, attributes and segments" value={trigger.audience} onChange={(audience) => { set(audience === undefined ? omit(trigger, 'audience') : { ...trigger, audience }); }} />
    </>
  );
}

function omit<T extends object, K extends keyof T>(object: T, name: K): T {
  const { [name]: _, ...rest } = object;
  return rest as T;
}

function WaitFields({ node, onChange }: PartProps) {
  const wait = node.wait ?? {};
  const set = (next: NonNullable<ScenarioNode['wait']>) => {
    onChange({ ...node, wait: next });
  };
  return (
    <>
      <NumberInput label={wait.event === undefined ? 'Minutes' : 'Minutes after which it is given up'} min={0} value={wait.minutes ?? ''} onChange={(value) => { set({ ...wait, minutes: Number(value) }); }} />
      {wait.event === undefined && <TextInput label="Then until" description="A time of day of each person" placeholder="10:00" value={wait.until ?? ''} onChange={(event) => { set(given(wait, 'until', event.currentTarget.value)); }} />}
      <TextInput label="Or until the event" value={wait.event ?? ''} onChange={(event) => { set(given(omit(wait, 'until'), 'event', event.currentTarget.value)); }} />
      {wait.event !== undefined && (
        <Checkbox label="Of the last message, as receipts are" checked={wait.ofDecision ?? false} onChange={(event) => { set({ ...wait, ofDecision: event.currentTarget.checked }); }} />
      )}
    </>
  );
}

function StepFields({ node, points, onChange }: PartProps & { readonly points: readonly string[] }) {
  const step = node.decide ?? { decisionPoint: '' };
  return (
    <>
      <Select label="Decision point" searchable data={[...points]} value={step.decisionPoint || null} onChange={(value) => { onChange({ ...node, decide: { ...step, decisionPoint: value ?? '' } }); }} />
      <TagsInput label="Told of the first event" description="Names of its properties" value={step.fromEntry ?? []} onChange={(fromEntry) => { onChange({ ...node, decide: { ...step, fromEntry } }); }} />
      <TextInput label="Sent at" description="In each person's time zone; at once when empty" placeholder="10:00" value={step.localTime ?? ''} onChange={(event) => { onChange({ ...node, decide: given(step, 'localTime', event.currentTarget.value) }); }} />
    </>
  );
}

interface JsonProps {
  readonly label: string;
  readonly note: string;
  readonly value: unknown;
  readonly onChange: (value: unknown) => void;
}

/** A JSON object; what is not one yet stays in the field. */
function Json({ label, note, value, onChange }: JsonProps) {
  const [text, setText] = useState(value === undefined ? '' : JSON.stringify(value, null, 1));
  const fault = jsonFault(text);
  return (
    <JsonInput
      label={label}
      description={note}
      autosize
      minRows={1}
      value={text}
      error={fault || undefined}
      onChange={(next) => {
        setText(next);
        if (jsonFault(next) === '') onChange(next.trim() === '' ? undefined : (JSON.parse(next) as unknown));
      }}
    />
  );
}
