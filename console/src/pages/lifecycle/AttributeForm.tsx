import { ActionIcon, Button, Group, Modal, NativeSelect, SegmentedControl, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { createAttribute, replaceAttribute } from '../../api/attributes';
import { asProblem, Problem, type Finding } from '../../api/problem';
import type { AttributeDefinition } from '../../api/types';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { aggregates, attributeOf, emptyAttribute, fieldsOf, kinds, messageAt, operators, textOf, unplaced, type AttributeText, type ConditionText } from './attributeForm';

interface AttributeFormProps {
  /** The attribute that is changed; a new one unless given. */
  readonly attribute?: AttributeDefinition;
  readonly onClose: () => void;
}

const kindNotes: Readonly<Record<AttributeText['kind'], string>> = {
  aggregate: 'One figure over the events of a name, computed in each run.',
  counter: 'A count or sum that follows each event at once.',
  sql: 'A SELECT of person_id and value over the table events. Write events FINAL, so that a message that was stored twice counts once.',
};

/** Makes or changes an attribute; what the service refuses is said at the field. */
export function AttributeForm({ attribute, onClose }: AttributeFormProps) {
  const queries = useQueryClient();
  const [text, setText] = useState<AttributeText>(attribute === undefined ? emptyAttribute : textOf(attribute));
  const save = useMutation({
    mutationFn: () =>
      attribute === undefined ? createAttribute(text.key.trim(), attributeOf(text)) : replaceAttribute(attribute.key, attribute.version, { ...attributeOf(text), ...(attribute.paused === true ? { paused: true } : {}) }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['attributes'] });
      onClose();
    },
  });
  const problem = save.isError ? asProblem(save.error) : null;
  const findings = problem?.findings ?? [];
  const elsewhere = unplaced(findings, text);
  const fields = fieldsOf(text);
  const set = (change: Partial<AttributeText>) => {
    setText({ ...text, ...change });
  };
  const field = (name: keyof AttributeText & string) => ({
    value: text[name] as string,
    error: messageAt(findings, name) || null,
    onChange: (event: { currentTarget: { value: string } }) => {
      set({ [name]: event.currentTarget.value });
    },
  });
  return (
    <Modal opened onClose={onClose} size="lg" title={attribute === undefined ? 'New attribute' : `Change ${attribute.key}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack gap="sm">
          {problem !== null && (findings.length === 0 || elsewhere.length > 0) && (
            <ProblemPanel error={new Problem(problem.status, problem.title, findings.length === 0 ? problem.detail : '', elsewhere)} />
          )}
          <Group gap="sm" grow align="flex-start" preventGrowOverflow={false}>
            {attribute === undefined && <TextInput label="Key" description="Its name in segments, decisions and SQL" required withAsterisk={false} data-autofocus {...field('key')} />}
            <TextInput label="Name" description="For people; the key without one" {...field('name')} />
          </Group>
          <TextInput label="Description" {...field('description')} />
          <div>
            <SegmentedControl
              aria-label="Kind"
              data={kinds.map((kind) => ({ value: kind, label: kind === 'sql' ? 'SQL' : kind === 'counter' ? 'Counter' : 'Aggregate' }))}
              value={text.kind}
              onChange={(value) => {
                const kind = kinds.find((each) => each === value) ?? 'aggregate';
                const fits = kind !== 'counter' || text.aggregate === 'count' || text.aggregate === 'sum';
                set({ kind, ...(fits ? {} : { aggregate: 'count' as const }) });
              }}
            />
            <Text size="sm" c="dimmed" mt={4}>
              {kindNotes[text.kind]}
            </Text>
          </div>
          {fields.sql && (
            <Textarea label="SQL" autosize minRows={5} maxRows={16} spellCheck={false} styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }} {...field('sql')} />
          )}
          {fields.events && (
            <>
              <TextInput label="Event" description="Name of the events" {...field('event')} />
              <Group gap="sm" grow align="flex-start">
                <NativeSelect
                  label="Figure"
                  data={aggregates.filter((each) => text.kind !== 'counter' || each === 'count' || each === 'sum').map((each) => ({ value: each, label: figures[each] }))}
                  {...field('aggregate')}
                />
                {fields.property && <TextInput label="Property" placeholder="revenue" {...field('property')} />}
              </Group>
              <Group gap="sm" grow align="flex-start">
                <TextInput label="Window" description="Days; all events without one" inputMode="decimal" {...field('windowDays')} />
                {fields.halfLife && <TextInput label="Half-life" description="Days after which an event weighs half" inputMode="decimal" {...field('halfLifeDays')} />}
              </Group>
              <Conditions
                where={text.where}
                findings={findings}
                onChange={(where) => {
                  set({ where });
                }}
              />
            </>
          )}
          <Group justify="flex-end" gap="xs" mt="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={attribute === undefined && text.key.trim() === ''}>
              {attribute === undefined ? 'Create attribute' : 'Save attribute'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

const figures: Readonly<Record<(typeof aggregates)[number], string>> = {
  count: 'Number of events',
  sum: 'Sum of a property',
  avg: 'Mean of a property',
  min: 'Smallest of a property',
  max: 'Largest of a property',
  first: 'First value of a property',
  last: 'Last value of a property',
  unique: 'Number of different values',
};

interface ConditionsProps {
  readonly where: readonly ConditionText[];
  readonly findings: readonly Finding[];
  readonly onChange: (where: readonly ConditionText[]) => void;
}

function Conditions({ where, findings, onChange }: ConditionsProps) {
  const set = (index: number, change: Partial<ConditionText>) => {
    onChange(where.map((each, at) => (at === index ? { ...each, ...change } : each)));
  };
  return (
    <fieldset className="q-conditions">
      <legend>Only events where</legend>
      {messageAt(findings, 'where') !== '' && <Text c="red" size="sm">{messageAt(findings, 'where')}</Text>}
      {where.map((condition, index) => {
        const at = `where[${index.toString()}]`;
        return (
          <div key={index} className="q-condition">
            <TextInput
              size="xs"
              aria-label="Property of the event"
              placeholder="property"
              value={condition.property}
              error={messageAt(findings, `${at}.property`) || null}
              onChange={(event) => {
                set(index, { property: event.currentTarget.value });
              }}
            />
            <NativeSelect
              size="xs"
              aria-label="Comparison"
              data={[...operators]}
              value={condition.is}
              error={messageAt(findings, `${at}.is`) || null}
              onChange={(event) => {
                set(index, { is: operators.find((each) => each === event.currentTarget.value) ?? '=' });
              }}
            />
            <TextInput
              size="xs"
              aria-label="Value"
              placeholder={condition.is === 'exists' ? '' : 'value'}
              disabled={condition.is === 'exists'}
              value={condition.is === 'exists' ? '' : condition.value}
              error={messageAt(findings, `${at}.value`) || null}
              onChange={(event) => {
                set(index, { value: event.currentTarget.value });
              }}
            />
            <ActionIcon
              variant="default"
              size={30}
              aria-label={`Remove condition ${(index + 1).toString()}`}
              onClick={() => {
                onChange(where.filter((_, other) => other !== index));
              }}
            >
              <IconX size={14} />
            </ActionIcon>
          </div>
        );
      })}
      <Button
        size="compact-xs"
        variant="default"
        leftSection={<IconPlus size={12} />}
        disabled={where.length >= 20}
        onClick={() => {
          onChange([...where, { property: '', is: '=', value: '' }]);
        }}
      >
        Condition
      </Button>
      {where.length > 0 && (
        <Text size="xs" c="dimmed" mt={6}>
          Numbers, true and false are such; in quotes they are texts.
        </Text>
      )}
    </fieldset>
  );
}
