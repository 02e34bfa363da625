import { Group, JsonInput, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { previewDecision } from '../../api/points';
import { probability } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { ActionName } from '../../parts/ActionName';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { Terms } from '../../parts/Terms';
import { CandidatesPanel } from '../decisions/CandidatesPanel';
import { RemovedPanel } from '../decisions/RemovedPanel';
import { fault } from './draft';

/** What a person would get now, and why; nothing is decided. */
export function PreviewPanel({ pointKey }: { readonly pointKey: string }) {
  const [person, setPerson] = useState('');
  const [context, setContext] = useState('');
  const ask = useMutation({
    mutationFn: () => {
      const cut = person.indexOf(':');
      const user = cut > 0 ? { [person.slice(0, cut).trim()]: person.slice(cut + 1).trim() } : { userId: person.trim() };
      return previewDecision({ decision: pointKey, user, ...(context.trim() === '' ? {} : { context: JSON.parse(context) as unknown }) });
    },
  });
  const wrong = fault(context, 'object');
  const why = ask.data;
  return (
    <Panel title="Decide for this person" note="What they would get now. Nothing is decided, sent or reserved.">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (person.trim() !== '' && wrong === '') ask.mutate();
        }}
      >
        <Group gap="sm" align="end" wrap="wrap">
          <TextInput label="Person" placeholder="userId:u42" value={person} onChange={(event) => { setPerson(event.currentTarget.value); }} style={{ flex: '1 1 200px' }} />
          <JsonInput label="Context" placeholder={'{"device": "mobile"}'} autosize minRows={1} value={context} error={wrong || undefined} onChange={setContext} style={{ flex: '1 1 200px' }} />
          <ActionButton needs="decide" size="sm" loading={ask.isPending} blocked={person.trim() === '' ? 'Name a person first.' : wrong} onClick={() => { ask.mutate(); }}>
            Ask
          </ActionButton>
        </Group>
      </form>
      {ask.isError && <ProblemPanel error={ask.error} />}
      {why !== undefined && (
        <div className="q-stack" role="status">
          <ol>
            {why.explanation.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ol>
          <Terms
            entries={[
              ['Action', why.record.action === '' ? 'nothing' : <ActionName key="action" action={why.record.action} />],
              ['Group', why.record.group],
              ['Probability', why.record.action === '' ? '–' : probability(why.record.propensity)],
            ]}
          />
          {(why.record.candidates ?? []).length > 0 && <CandidatesPanel record={why.record} floor={undefined} />}
          {(why.record.removed ?? []).length > 0 && <RemovedPanel record={why.record} />}
        </div>
      )}
    </Panel>
  );
}
