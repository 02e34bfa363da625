import { Button, Group, Modal, NativeSelect, Stack, Table, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconPlus, IconUsers } from '@tabler/icons-react';
import { useState } from 'react';
import { asProblem, Problem } from '../../api/problem';
import { sessionQuery } from '../../api/session';
import type { ConsoleUser, NamedRole } from '../../api/types';
import { changeRole, createLoginLink, createUser, removeUser, rolesQuery, usersQuery } from '../../api/users';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { CopyButton } from '../../parts/CopyButton';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { Tag } from '../../parts/Tag';
import { messageAt, unplaced } from '../../parts/findings';
import './settings.css';

const columns: readonly Column[] = [{ label: 'Name' }, { label: 'Role' }, { label: 'Added' }, { label: 'Actions', silent: true }];

/** Who may use the console, and as what. */
export function UserSettings() {
  const roles = useQuery(rolesQuery);
  const session = useQuery(sessionQuery);
  const [adding, setAdding] = useState(false);
  const [linked, setLinked] = useState<ConsoleUser | null>(null);
  const [removing, setRemoving] = useState<ConsoleUser | null>(null);
  const known = roles.data?.items ?? [];
  return (
    <Panel
      title="Users"
      note="People who sign in here. A login link lets somebody in once; a password of their own they set themselves."
      flush
      actions={
        <ActionButton
          needs="admin"
          leftSection={<IconPlus size={14} />}
          onClick={() => {
            setAdding(true);
          }}
        >
          Add user
        </ActionButton>
      }
    >
      <List page={usersQuery} columns={columns} rows={3} empty={{ icon: <IconUsers size={20} />, title: 'Nobody may sign in' }}>
        {(users) =>
          users.map((user) => <UserRow key={user.id} user={user} roles={known} own={session.data?.user.email ?? ''} onLink={setLinked} onRemove={setRemoving} />)
        }
      </List>
      {adding && (
        <AddUser
          roles={known}
          onClose={() => {
            setAdding(false);
          }}
        />
      )}
      {linked !== null && (
        <LoginLink
          user={linked}
          onClose={() => {
            setLinked(null);
          }}
        />
      )}
      {removing !== null && (
        <Confirm
          title={`Remove ${removing.name}?`}
          verb="Remove"
          run={() => removeUser(removing.id)}
          refresh={[['users']]}
          onClose={() => {
            setRemoving(null);
          }}
        >
          Their sessions end at once. What they did stays in the audit log.
        </Confirm>
      )}
    </Panel>
  );
}

interface UserRowProps {
  readonly user: ConsoleUser;
  readonly roles: readonly NamedRole[];
  readonly own: string;
  readonly onLink: (user: ConsoleUser) => void;
  readonly onRemove: (user: ConsoleUser) => void;
}

function UserRow({ user, roles, own, onLink, onRemove }: UserRowProps) {
  return (
    <Table.Tr>
      <Table.Td>
        <span className="q-list-title">
          {user.name} {user.email === own && <Tag tone="quiet">you</Tag>}
        </span>
        <span className="q-list-note">{user.email}</span>
      </Table.Td>
      <Table.Td>
        <RoleChoice user={user} roles={roles} />
      </Table.Td>
      <Table.Td>
        <Moment at={user.createdAt} />
      </Table.Td>
      <Table.Td ta="right">
        <Group gap={6} justify="flex-end" wrap="nowrap">
          <ActionButton
            needs="admin"
            size="compact-xs"
            variant="default"
            onClick={() => {
              onLink(user);
            }}
          >
            Login link<span className="q-hidden-label"> for {user.name}</span>
          </ActionButton>
          {user.email !== own && (
            <ActionButton
              needs="admin"
              size="compact-xs"
              variant="default"
              onClick={() => {
                onRemove(user);
              }}
            >
              Remove<span className="q-hidden-label"> {user.name}</span>
            </ActionButton>
          )}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

/** A role that is gone is still shown: whoever holds it may do nothing. */
function choices(roles: readonly NamedRole[], held: string) {
  const known = roles.map(({ key, title }) => ({ value: key, label: title === '' ? key : title }));
  return held === '' || known.some(({ value }) => value === held) ? known : [...known, { value: held, label: `${held} (not defined)` }];
}

function RoleChoice({ user, roles }: { readonly user: ConsoleUser; readonly roles: readonly NamedRole[] }) {
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: (role: string) => changeRole(user.id, role),
    onSettled: () => queries.invalidateQueries({ queryKey: ['users'] }),
  });
  return (
    <NativeSelect
      size="xs"
      w={190}
      aria-label={`Role of ${user.name}`}
      data={choices(roles, user.role)}
      value={change.isPending ? change.variables : user.role}
      disabled={change.isPending}
      error={change.isError ? asProblem(change.error).findings[0]?.message ?? asProblem(change.error).message : null}
      onChange={(event) => {
        change.mutate(event.currentTarget.value);
      }}
    />
  );
}

function AddUser({ roles, onClose }: { readonly roles: readonly NamedRole[]; readonly onClose: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [role, setRole] = useState(roles.some(({ key }) => key === 'viewer') ? 'viewer' : (roles[0]?.key ?? 'viewer'));
  const add = useMutation({
    mutationFn: () => createUser({ name: name.trim(), email: email.trim(), role }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['users'] });
      onClose();
    },
  });
  const problem = add.isError ? asProblem(add.error) : null;
  const findings = problem?.findings ?? [];
  const elsewhere = unplaced(findings, ['name', 'email', 'role']);
  return (
    <Modal opened onClose={onClose} title="Add a user">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <Stack gap="sm">
          {problem !== null && (findings.length === 0 || elsewhere.length > 0) && <ProblemPanel error={new Problem(problem.status, problem.title, problem.detail, elsewhere)} />}
          <TextInput
            label="Name"
            data-autofocus
            value={name}
            error={messageAt(findings, 'name') || null}
            onChange={(event) => {
              setName(event.currentTarget.value);
            }}
          />
          <TextInput
            label="E-mail or user name"
            description="What the user signs in with"
            value={email}
            error={messageAt(findings, 'email') || null}
            onChange={(event) => {
              setEmail(event.currentTarget.value);
            }}
          />
          <NativeSelect
            label="Role"
            data={choices(roles, role)}
            value={role}
            error={messageAt(findings, 'role') || null}
            onChange={(event) => {
              setRole(event.currentTarget.value);
            }}
          />
          <Group justify="flex-end" gap="xs" mt="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={add.isPending} disabled={name.trim() === '' || email.trim() === ''}>
              Add
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function LoginLink({ user, onClose }: { readonly user: ConsoleUser; readonly onClose: () => void }) {
  const make = useMutation({ mutationFn: () => createLoginLink(user.id) });
  const link = make.data;
  return (
    <Modal opened onClose={onClose} title={`Login link for ${user.name}`}>
      {link === undefined ? (
        <>
          <Text mb="md">Whoever opens the link is signed in as {user.name}. It works once, within 15 minutes. Send it on a way that only they read.</Text>
          {make.isError && <ProblemPanel error={make.error} />}
          <Group justify="flex-end" gap="xs" mt="md">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button
              data-autofocus
              loading={make.isPending}
              onClick={() => {
                make.mutate();
              }}
            >
              Make the link
            </Button>
          </Group>
        </>
      ) : (
        <>
          <Text mb="sm">
            It works once, until <Moment at={link.expiresAt} as="clock" />.
          </Text>
          <pre className="q-mono q-secret">{link.url}</pre>
          <Group justify="flex-end" gap="xs" mt="md">
            <CopyButton label="Copy link" text={() => link.url} />
            <Button size="xs" onClick={onClose}>
              Done
            </Button>
          </Group>
        </>
      )}
    </Modal>
  );
}
