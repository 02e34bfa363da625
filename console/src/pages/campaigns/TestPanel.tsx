import { Group, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { Link } from 'react-router';
import { ActionButton } from '../../parts/ActionButton';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { outcomeWords } from './words';

interface Trial {
  readonly outcome: string;
  readonly reason?: string;
  readonly decisionId?: string;
  readonly message?: { readonly offer: string; readonly channel: string; readonly creative: string };
}

interface TestPanelProps {
  readonly send: (person: string) => Promise<Trial>;
  /** What else is chosen, such as the step. */
  readonly children?: ReactNode;
}

/** Decides about one person and sends what follows. */
export function TestPanel({ send, children }: TestPanelProps) {
  const [person, setPerson] = useState('');
  const queries = useQueryClient();
  const test = useMutation({ mutationFn: () => send(person.trim()), onSuccess: () => queries.invalidateQueries({ queryKey: ['campaigns', 'messages'] }) });
  const trial = test.data;
  return (
    <Panel title="Test send" note="To one person, now. Consent and every rule hold.">
      {children}
      <Group gap="xs" align="end">
        <TextInput label="Person" placeholder="userId:u42" value={person} onChange={(event) => { setPerson(event.currentTarget.value); }} style={{ flex: 1 }} />
        <ActionButton needs="define" size="sm" loading={test.isPending} blocked={person.trim() === '' ? 'Name a person first.' : ''} onClick={() => { test.mutate(); }}>
          Send
        </ActionButton>
      </Group>
      {test.isError && <ProblemPanel error={test.error} />}
      {trial !== undefined && (
        <p role="status">
          {trial.message === undefined
            ? `Nothing is sent: ${outcomeWords[trial.outcome] ?? trial.outcome}${trial.reason === undefined ? '' : ` (${trial.reason})`}.`
            : `${trial.message.offer} by ${trial.message.channel} as ${trial.message.creative} is queued.`}{' '}
          {trial.decisionId !== undefined && (
            <Link className="q-link" to={`/decisions/${encodeURIComponent(trial.decisionId)}`}>
              Why
            </Link>
          )}
        </p>
      )}
    </Panel>
  );
}
