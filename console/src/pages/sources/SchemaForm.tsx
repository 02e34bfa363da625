import { ActionIcon, Button, Checkbox, Group, Modal, NativeSelect, Radio, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { asProblem, Problem } from '../../api/problem';
import { saveEventSchema } from '../../api/quality';
import type { EventSchema } from '../../api/types';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { messageAt, unplaced } from '../../parts/findings';
import { boundFaults, emptyField, fieldsOf, fieldTexts, fieldTypes, type FieldText } from './schemaForm';

function keyOf(event: string): string {
  return event
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
}

/** Makes a schema or changes one. */
export function SchemaForm({ schema, onClose }: { readonly schema?: EventSchema; readonly onClose: () => void }) {
  const queries = useQueryClient();
  const [event, setEvent] = useState(schema?.event ?? '');
  const [mode, setMode] = useState<'flag' | 'quarantine'>(schema?.mode ?? 'flag');
  const [rows, setRows] = useState<readonly FieldText[]>(schema === undefined ? [{ ...emptyField, path: 'properties.' }] : fieldTexts(schema));
  const key = schema?.key ?? keyOf(event);
  const faults = boundFaults(rows);
  const save = useMutation({
    mutationFn: () =>
      saveEventSchema(
        key,
        {
          event: event.trim(),
          mode,
          fields: fieldsOf(rows),
          ...(schema?.title === undefined ? {} : { title: schema.title }),
          ...(schema?.description === undefined ? {} : { description: schema.description }),
        },
        schema?.version ?? null,
      ),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['event-schemas'] });
      onClose();
    },
  });
  const problem = save.isError ? asProblem(save.error) : null;
  const rest = unplaced(problem?.findings ?? [], ['event', 'key']);
  const set = (index: number, change: Partial<FieldText>) => {
    setRows(rows.map((row, at) => (at === index ? { ...row, ...change } : row)));
  };
  return (
    <Modal opened onClose={onClose} size="xl" title={schema === undefined ? 'New event schema' : `Schema of ${schema.event}`}>
      <form
        onSubmit={(submitted) => {
          submitted.preventDefault();
          save.mutate();
        }}
      >
        <Stack gap="sm">
          {problem !== null && (problem.findings.length === 0 || rest.length > 0) && <ProblemPanel error={new Problem(problem.status, problem.title, problem.detail, rest)} />}
          <TextInput
            label="Event"
            description={key === '' ? 'The name that is tracked, or $identify, $page and the like' : `Its key is ${key}`}
            data-autofocus
            disabled={schema !== undefined}
            value={event}
            error={[messageAt(problem?.findings ?? [], 'event'), messageAt(problem?.findings ?? [], 'key')].filter(Boolean).join('; ') || null}
            onChange={(changed) => {
              setEvent(changed.currentTarget.value);
            }}
          />
          <Radio.Group
            label="An event that breaks it"
            value={mode}
            onChange={(value) => {
              setMode(value === 'quarantine' ? 'quarantine' : 'flag');
            }}
          >
            <Group gap="lg" mt={6}>
              <Radio value="flag" label="is stored and counted" />
              <Radio value="quarantine" label="is refused and goes to quarantine" />
            </Group>
          </Radio.Group>
          <div>
            <Text fw={500} size="sm" mb={4}>
              Fields
            </Text>
            <Stack gap={8}>
              <div className="q-schema-row q-schema-head" aria-hidden="true">
                <span>Path</span>
                <span>Type</span>
                <span />
                <span>Smallest</span>
                <span>Largest</span>
                <span>Only these values</span>
                <span />
              </div>
              {rows.map((row, index) => {
                const named = row.path.trim() === '' ? `field ${(index + 1).toString()}` : row.path.trim();
                return (
                  <div key={index} className="q-schema-row">
                    <TextInput size="xs" aria-label={`Path of field ${(index + 1).toString()}`} placeholder="properties.total" value={row.path} onChange={(changed) => { set(index, { path: changed.currentTarget.value }); }} />
                    <NativeSelect
                      size="xs"
                      aria-label={`Type of ${named}`}
                      data={[{ value: '', label: 'any' }, ...fieldTypes]}
                      value={row.type}
                      onChange={(changed) => {
                        set(index, { type: fieldTypes.find((type) => type === changed.currentTarget.value) ?? '' });
                      }}
                    />
                    <Checkbox size="xs" mt={8} label="required" aria-label={`${named} is required`} checked={row.required} onChange={(changed) => { set(index, { required: changed.currentTarget.checked }); }} />
                    <TextInput size="xs" aria-label={`Smallest of ${named}`} placeholder="smallest" inputMode="decimal" value={row.min} error={faults.get(index) ?? null} onChange={(changed) => { set(index, { min: changed.currentTarget.value }); }} />
                    <TextInput size="xs" aria-label={`Largest of ${named}`} placeholder="largest" inputMode="decimal" value={row.max} onChange={(changed) => { set(index, { max: changed.currentTarget.value }); }} />
                    <TextInput size="xs" aria-label={`Values of ${named}`} placeholder="any, or EUR, RUB" value={row.allowed} onChange={(changed) => { set(index, { allowed: changed.currentTarget.value }); }} />
                    <ActionIcon
                      variant="default"
                      size={30}
                      aria-label={`Remove ${named}`}
                      onClick={() => {
                        setRows(rows.filter((_, at) => at !== index));
                      }}
                    >
                      <IconX size={14} />
                    </ActionIcon>
                  </div>
                );
              })}
            </Stack>
            <Button
              size="compact-xs"
              variant="default"
              mt={8}
              leftSection={<IconPlus size={12} />}
              onClick={() => {
                setRows([...rows, { ...emptyField, path: 'properties.' }]);
              }}
            >
              Field
            </Button>
          </div>
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={key === '' || faults.size > 0}>
              {schema === undefined ? 'Create schema' : 'Save schema'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
