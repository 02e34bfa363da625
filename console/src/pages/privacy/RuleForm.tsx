import { Button, Checkbox, Group, Modal, NumberInput, Radio, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { saveRetention } from '../../api/privacy';
import { asProblem, Problem } from '../../api/problem';
import type { RetentionRule } from '../../api/types';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { messageAt, unplaced } from '../../parts/findings';
import { daysWords } from './words';

type Subject = 'event' | 'rest' | 'decisions';

function subjectOf(rule: RetentionRule | undefined): Subject {
  if (rule?.of === 'decisions') return 'decisions';
  return rule?.event === '*' ? 'rest' : 'event';
}

/** Makes a retention rule or changes one. */
export function RuleForm({ rule, onClose }: { readonly rule?: RetentionRule; readonly onClose: () => void }) {
  const queries = useQueryClient();
  const [key, setKey] = useState(rule?.key ?? '');
  const [subject, setSubject] = useState<Subject>(subjectOf(rule));
  const [event, setEvent] = useState(rule?.event === '*' ? '' : (rule?.event ?? ''));
  const [days, setDays] = useState<number | string>(rule?.days ?? 365);
  const [remove, setRemove] = useState<'rows' | 'details'>(rule?.remove ?? 'rows');
  const [reason, setReason] = useState(rule?.reason ?? '');
  const [paused, setPaused] = useState(rule === undefined ? true : (rule.paused ?? false));
  const save = useMutation({
    mutationFn: () =>
      saveRetention(
        key.trim(),
        {
          days: Number(days),
          remove,
          ...(subject === 'decisions' ? { of: 'decisions' as const } : { of: 'events' as const, event: subject === 'rest' ? '*' : event.trim() }),
          ...(reason.trim() === '' ? {} : { reason: reason.trim() }),
          ...(paused ? { paused: true } : {}),
        },
        rule?.version ?? null,
      ),
    onSuccess: async () => {
      await Promise.all([['retention'], ['retention-plan']].map((queryKey) => queries.invalidateQueries({ queryKey })));
      onClose();
    },
  });
  const problem = save.isError ? asProblem(save.error) : null;
  const findings = problem?.findings ?? [];
  const rest = unplaced(findings, ['key', 'event', 'days', 'reason']);
  return (
    <Modal opened onClose={onClose} title={rule === undefined ? 'New retention rule' : `Change ${rule.key}`}>
      <form
        onSubmit={(submitted) => {
          submitted.preventDefault();
          save.mutate();
        }}
      >
        <Stack gap="sm">
          {problem !== null && (findings.length === 0 || rest.length > 0) && <ProblemPanel error={new Problem(problem.status, problem.title, problem.detail, rest)} />}
          {rule === undefined && (
            <TextInput
              label="Key"
              description="Its name in the API"
              placeholder="page-views"
              data-autofocus
              value={key}
              error={messageAt(findings, 'key') || null}
              onChange={(changed) => {
                setKey(changed.currentTarget.value);
              }}
            />
          )}
          <Radio.Group
            label="It is about"
            value={subject}
            onChange={(value) => {
              setSubject(value === 'decisions' ? 'decisions' : value === 'rest' ? 'rest' : 'event');
            }}
          >
            <Group gap="md" mt={6}>
              <Radio value="event" label="one event" />
              <Radio value="rest" label="all other events" />
              <Radio value="decisions" label="decisions" />
            </Group>
          </Radio.Group>
          {subject === 'event' && (
            <TextInput
              label="Event"
              placeholder="$page"
              value={event}
              error={messageAt(findings, 'event') || null}
              onChange={(changed) => {
                setEvent(changed.currentTarget.value);
              }}
            />
          )}
          <NumberInput
            label="Days that it is kept"
            description={typeof days === 'number' && days > 0 ? `That is ${daysWords(days)}, counted from when it happened` : 'Counted from when it happened'}
            min={1}
            allowDecimal={false}
            value={days}
            error={messageAt(findings, 'days') || null}
            onChange={setDays}
          />
          <Radio.Group
            label="After that"
            value={remove}
            onChange={(value) => {
              setRemove(value === 'details' ? 'details' : 'rows');
            }}
          >
            <Stack gap={6} mt={6}>
              <Radio value="rows" label="rows go as a whole" />
              <Radio value="details" label="properties, traits and context go" description="Names, times and numbers stay, and with them metrics" />
            </Stack>
          </Radio.Group>
          <TextInput
            label="Why"
            description="Such as the law that asks for it"
            value={reason}
            error={messageAt(findings, 'reason') || null}
            onChange={(changed) => {
              setReason(changed.currentTarget.value);
            }}
          />
          <Checkbox
            label="Paused"
            description="What it would remove is counted, and nothing is removed"
            checked={paused}
            onChange={(changed) => {
              setPaused(changed.currentTarget.checked);
            }}
          />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={key.trim() === '' || typeof days !== 'number' || (subject === 'event' && event.trim() === '')}>
              {rule === undefined ? 'Create rule' : 'Save rule'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
