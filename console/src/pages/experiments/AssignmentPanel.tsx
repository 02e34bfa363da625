import { Button, Group, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { IconCircleCheck, IconCircleX } from '@tabler/icons-react';
import { useState } from 'react';
import { auditAssignment } from '../../api/experiments';
import type { AssignmentAudit } from '../../api/types';
import { probability } from '../../format/number';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { Tag } from '../../parts/Tag';
import './checks.css';

/** Why did this person get this variant on that date: computed again, step by step. */
export function AssignmentPanel({ experiment }: { readonly experiment: string }) {
  const [unit, setUnit] = useState('');
  const [at, setAt] = useState('');
  const audit = useMutation({ mutationFn: () => auditAssignment(experiment, unit.trim(), at === '' ? '' : new Date(at).toISOString()) });
  return (
    <Panel title="Why this variant?" note="The assignment of one person or unit, computed again from the definitions that were valid then, beside what was recorded.">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          audit.mutate();
        }}
      >
        <Group align="flex-end" gap="sm">
          <TextInput size="xs" w={280} label="Person or unit" placeholder="email:anna@example.org" value={unit} onChange={(event) => { setUnit(event.currentTarget.value); }} />
          <TextInput size="xs" type="datetime-local" label="At (now unless given)" value={at} onChange={(event) => { setAt(event.currentTarget.value); }} />
          <Button size="xs" type="submit" variant="default" loading={audit.isPending} disabled={unit.trim() === ''}>
            Explain
          </Button>
        </Group>
      </form>
      {audit.isError && <ProblemPanel error={audit.error} />}
      {audit.data !== undefined && <Explained audit={audit.data} />}
    </Panel>
  );
}

function Explained({ audit }: { readonly audit: AssignmentAudit }) {
  return (
    <div role="status" style={{ marginTop: 14 }}>
      <p style={{ margin: '0 0 6px', fontWeight: 600 }}>{audit.summary}</p>
      {audit.agrees === true && <Tag tone="better">agrees with what was recorded</Tag>}
      {audit.agrees === false && <Tag tone="worse">another variant was recorded</Tag>}
      {audit.steps.map((step, index) => (
        <div key={index} className={step.passed ? 'q-check q-check-passed' : 'q-check q-check-failed'}>
          <span className="q-check-icon" aria-hidden="true">
            {step.passed ? <IconCircleCheck size={17} /> : <IconCircleX size={17} />}
          </span>
          <span className="q-check-title">{step.check}</span>
          <span className="q-muted">{step.bucket === undefined ? '' : `bucket ${probability(step.bucket)}`}</span>
          <p className="q-check-text">{step.detail}</p>
        </div>
      ))}
      {audit.recorded.length > 0 && (
        <p className="q-list-note">
          Recorded:{' '}
          {audit.recorded.slice(0, 5).map((entry, index) => (
            <span key={entry.exposedAt}>
              {index > 0 && ', '}
              {entry.variant} <Moment at={entry.exposedAt} />
            </span>
          ))}
        </p>
      )}
    </div>
  );
}
