import { Autocomplete, JsonInput, NativeSelect } from '@mantine/core';
import { useState } from 'react';
import { EventFields, SequenceFields } from './EventFields';
import { operatorsFor } from './operators';
import { newId, type Leaf, type NamedNode } from './rule';
import { TestFields } from './TestFields';
import type { Vocabulary } from './vocabulary';

/** Kinds of condition that can be added, by what they are about. */
export const leafKinds = [
  { kind: 'event', label: 'Something they did', word: 'Event' },
  { kind: 'sequence', label: 'One thing after another', word: 'Sequence' },
  { kind: 'trait', label: 'A trait', word: 'Trait' },
  { kind: 'attribute', label: 'A computed attribute', word: 'Attribute' },
  { kind: 'profile', label: 'First or last seen', word: 'Profile' },
  { kind: 'identifier', label: 'An identifier', word: 'Identifier' },
  { kind: 'consent', label: 'A consent', word: 'Consent' },
  { kind: 'segment', label: 'Another segment', word: 'Segment' },
] as const;

export type LeafKind = (typeof leafKinds)[number]['kind'];

/** A condition to begin with. */
export function emptyLeaf(kind: LeafKind): Leaf {
  const id = newId();
  switch (kind) {
    case 'event':
      return { id, kind, event: '', where: [], window: { kind: 'last', span: '30d' }, measure: { kind: 'did' } };
    case 'sequence':
      return { id, kind, steps: [{ event: '', where: [] }, { event: '', where: [] }], within: '', window: { kind: 'always' } };
    case 'consent':
      return { id, kind, purpose: '', channel: '', status: 'granted' };
    case 'segment':
      return { id, kind, key: '' };
    case 'profile':
      return { id, kind, name: 'lastSeenAt', test: { op: 'withinLast', value: '30d', ignoreCase: false } };
    case 'identifier':
      return { id, kind, name: 'email', test: { op: 'exists', value: undefined, ignoreCase: false } };
    default:
      return { id, kind, name: '', test: { op: 'eq', value: '', ignoreCase: false } };
  }
}

const statuses = [
  { value: 'granted', label: 'given' },
  { value: 'denied', label: 'refused' },
  { value: 'withdrawn', label: 'withdrawn' },
  { value: 'pending', label: 'yet to be confirmed' },
  { value: 'expired', label: 'expired' },
  { value: 'unknown', label: 'never stated' },
];

const namespaces = ['userId', 'email', 'phone', 'anonymousId', 'device', 'card', 'telegram'];

const profileFields = [
  { value: 'lastSeenAt', label: 'last seen' },
  { value: 'createdAt', label: 'first seen' },
  { value: 'eventCount', label: 'number of messages' },
];

interface LeafFieldsProps {
  readonly node: Leaf;
  readonly vocabulary: Vocabulary;
  readonly onChange: (node: Leaf) => void;
}

/** The form of one condition. */
export function LeafFields({ node, vocabulary, onChange }: LeafFieldsProps) {
  switch (node.kind) {
    case 'event':
      return <EventFields node={node} events={vocabulary.events} onChange={onChange} />;
    case 'sequence':
      return <SequenceFields node={node} events={vocabulary.events} onChange={onChange} />;
    case 'raw':
      return <RawField value={node.json} onChange={(json) => { onChange({ ...node, json }); }} />;
    case 'segment':
      return (
        <div className="q-rule-fields">
          <NativeSelect
            aria-label="Segment"
            className="q-rule-value"
            value={node.key}
            data={[
              { value: '', label: 'Choose a segment' },
              ...(node.key !== '' && !vocabulary.segments.some(({ value }) => value === node.key) ? [{ value: node.key, label: node.key }] : []),
              ...vocabulary.segments,
            ]}
            onChange={(event) => {
              onChange({ ...node, key: event.currentTarget.value });
            }}
          />
        </div>
      );
    case 'consent':
      return (
        <div className="q-rule-fields">
          <Autocomplete aria-label="Purpose" placeholder="Purpose" w={170} data={[...vocabulary.purposes]} value={node.purpose} onChange={(purpose) => { onChange({ ...node, purpose }); }} />
          <span className="q-muted">over</span>
          <Autocomplete aria-label="Channel" placeholder="any channel" w={140} data={[...vocabulary.channels]} value={node.channel} onChange={(channel) => { onChange({ ...node, channel }); }} />
          <span className="q-muted">is</span>
          <NativeSelect aria-label="Status" value={node.status} data={statuses} onChange={(event) => { onChange({ ...node, status: event.currentTarget.value }); }} />
        </div>
      );
    default:
      return <NamedFields node={node} vocabulary={vocabulary} onChange={onChange} />;
  }
}

interface NamedFieldsProps {
  readonly node: NamedNode;
  readonly vocabulary: Vocabulary;
  readonly onChange: (node: NamedNode) => void;
}

function NamedFields({ node, vocabulary, onChange }: NamedFieldsProps) {
  const operators = operatorsFor(node.kind, node.name);
  const named = (name: string) => {
    const [first] = operatorsFor(node.kind, name);
    const fits = operatorsFor(node.kind, name).some(({ op }) => op === node.test.op);
    onChange({ ...node, name, test: fits || first === undefined ? node.test : { op: first.op, value: null, ignoreCase: false } });
  };
  return (
    <div className="q-rule-fields">
      {node.kind === 'profile' ? (
        <NativeSelect aria-label="Field" value={node.name} data={profileFields} onChange={(event) => { named(event.currentTarget.value); }} />
      ) : (
        <Autocomplete
          aria-label={node.kind === 'identifier' ? 'Namespace' : node.kind === 'trait' ? 'Trait' : 'Attribute'}
          placeholder={node.kind === 'identifier' ? 'Namespace' : 'Name'}
          className="q-rule-value"
          data={[...(node.kind === 'trait' ? vocabulary.traits : node.kind === 'attribute' ? vocabulary.attributes : namespaces)]}
          value={node.name}
          onChange={named}
        />
      )}
      <TestFields
        test={node.test}
        operators={operators}
        onChange={(test) => {
          onChange({ ...node, test });
        }}
      />
    </div>
  );
}

function RawField({ value, onChange }: { readonly value: unknown; readonly onChange: (value: unknown) => void }) {
  const [text, setText] = useState(() => JSON.stringify(value, null, 2));
  return (
    <JsonInput
      aria-label="Condition as JSON"
      description="There is no form for this condition; it is kept as it is written."
      autosize
      minRows={3}
      validationError="Not JSON yet"
      value={text}
      onChange={(next) => {
        setText(next);
        try {
          onChange(JSON.parse(next));
        } catch {
          // Half-written JSON changes nothing yet; the field says so.
        }
      }}
    />
  );
}
