import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState, type FormEvent } from 'react';
import { Navigate, useSearchParams } from 'react-router';
import { sessionQuery, signIn } from '../../api/session';
import { Mark } from '../../layout/Mark';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { safeNext } from './next';
import './login.css';

export function LoginPage() {
  const [parameters] = useSearchParams();
  const queries = useQueryClient();
  const session = useQuery(sessionQuery);
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const enter = useMutation({
    mutationFn: (form: { email: string; password: string }) => signIn(form.email, form.password),
    onSuccess: () => queries.invalidateQueries({ queryKey: sessionQuery.queryKey }),
  });
  useEffect(() => {
    document.title = 'Sign in · Quintet';
  }, []);
  if (session.data) return <Navigate to={safeNext(parameters.get('next'))} replace />;

  const submit = (event: FormEvent) => {
    event.preventDefault();
    enter.mutate({ email: email.trim(), password });
  };
  return (
    <main className="q-login">
      <form className="q-login-form" onSubmit={submit}>
        <Mark size={36} />
        <h1 className="q-login-title">Sign in to Quintet</h1>
        <p className="q-login-note">Who, what, when, where and how: decided, and proved worth deciding.</p>
        {enter.isError && <ProblemPanel error={enter.error} />}
        <TextInput
          label="E-mail or user name"
          autoComplete="username"
          required
          withAsterisk={false}
          autoFocus
          value={email}
          onChange={(event) => {
            setEmail(event.currentTarget.value);
          }}
        />
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          required
          withAsterisk={false}
          value={password}
          onChange={(event) => {
            setPassword(event.currentTarget.value);
          }}
        />
        <Button type="submit" size="md" fullWidth loading={enter.isPending}>
          Sign in
        </Button>
        <p className="q-login-hint">
          No password yet? The service prints a sign-in link when it first starts, and <code>quintet login</code> prints a new
          one.
        </p>
      </form>
    </main>
  );
}
