import { Button, Group, NativeSelect, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { findInHoldout, holdoutsQuery } from '../../api/holdouts';
import { probability } from '../../format/number';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { sideWords } from './words';

/** On which side somebody stands. */
export function FindPanel() {
  const holdouts = useQuery(holdoutsQuery());
  const keys = (holdouts.data?.items ?? []).map(({ key }) => key);
  const [key, setKey] = useState('');
  const [unit, setUnit] = useState('');
  const chosen = keys.includes(key) ? key : (keys[0] ?? '');
  const find = useMutation({ mutationFn: () => findInHoldout(chosen, unit.trim()) });
  return (
    <Panel title="Is somebody held out?" note="Other systems ask the same of the API, so that they leave the same people alone.">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          find.mutate();
        }}
      >
        <Group align="flex-end" gap="sm">
          <NativeSelect size="xs" label="Holdout" data={keys} value={chosen} onChange={(event) => { setKey(event.currentTarget.value); }} />
          <TextInput size="xs" w={280} label="Person" placeholder="email:anna@example.org" value={unit} onChange={(event) => { setUnit(event.currentTarget.value); }} />
          <Button size="xs" type="submit" variant="default" loading={find.isPending} disabled={unit.trim() === '' || chosen === ''}>
            Look
          </Button>
        </Group>
      </form>
      {find.isError && <ProblemPanel error={find.error} />}
      {find.data !== undefined && (
        <p role="status">
          <b>{find.data.asked}</b> {sideWords(find.data.side)}. <span className="q-muted">Bucket {probability(find.data.bucket)}, version {find.data.version}.</span>
        </p>
      )}
    </Panel>
  );
}
