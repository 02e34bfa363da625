import { Button, PasswordInput, Stack, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { sessionQuery, setPassword } from '../../api/session';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';

export function PasswordSettings() {
  const queries = useQueryClient();
  const session = useQuery(sessionQuery);
  const [password, setPasswordText] = useState('');
  const [again, setAgain] = useState('');
  const save = useMutation({
    mutationFn: (form: { password: string }) => setPassword(form.password),
    onSuccess: async () => {
      setPasswordText('');
      setAgain('');
      await queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
    },
  });
  const user = session.data?.user;
  return (
    <Panel
      title={session.data?.hasPassword ? 'Change password' : 'Set a password'}
      note={user === undefined ? undefined : `For ${user.name || user.email}. With one, signing in needs no link any more.`}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate({ password });
        }}
      >
        <Stack gap="sm" maw={340}>
          {save.isError && <ProblemPanel error={save.error} />}
          {save.isSuccess && <Text role="status">The password is set.</Text>}
          <input type="text" autoComplete="username" value={user?.email ?? ''} readOnly hidden />
          <PasswordInput
            label="New password"
            autoComplete="new-password"
            value={password}
            onChange={(event) => {
              setPasswordText(event.currentTarget.value);
            }}
          />
          <PasswordInput
            label="The same again"
            autoComplete="new-password"
            value={again}
            error={again !== '' && again !== password ? 'The two are not the same' : null}
            onChange={(event) => {
              setAgain(event.currentTarget.value);
            }}
          />
          <Button type="submit" loading={save.isPending} disabled={password === '' || password !== again} style={{ alignSelf: 'flex-start' }}>
            Save password
          </Button>
        </Stack>
      </form>
    </Panel>
  );
}
