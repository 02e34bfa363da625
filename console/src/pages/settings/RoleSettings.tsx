import { ActionIcon, Autocomplete, Button, Checkbox, Group, Modal, NativeSelect, Stack, Table, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconPlus, IconUserShield, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { asProblem, Problem } from '../../api/problem';
import type { MaskRule, NamedRole, RoleBody } from '../../api/types';
import { createRole, deleteRole, replaceRole, rolesQuery } from '../../api/users';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { List, type Column } from '../../parts/List';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { Tag } from '../../parts/Tag';
import { messageAt, unplaced } from '../../parts/findings';
import { maskWords } from './masks';
import './settings.css';

const columns: readonly Column[] = [{ label: 'Role' }, { label: 'Scopes' }, { label: 'Personal data' }, { label: 'Actions', silent: true }];
const scopes = ['read', 'define', 'ingest', 'decide', 'admin'] as const;
const scopeNotes: Readonly<Record<(typeof scopes)[number], string>> = {
  read: 'See definitions, profiles, decisions and reports',
  define: 'Change definitions',
  ingest: 'Send events, traits and files',
  decide: 'Ask for decisions',
  admin: 'Everything, including keys, users and webhooks',
};
const modes: readonly { readonly value: MaskRule['mode']; readonly label: string }[] = [
  { value: 'partial', label: 'in part: a•••@example.org' },
  { value: 'hash', label: 'as a hash' },
  { value: 'hide', label: 'not at all' },
];
const suggestions = ['personal', 'identifiers.email', 'identifiers.phone', 'identifiers.*', 'traits.email', 'traits.phone', 'traits.birthday', 'traits.*', 'properties.*', 'context.*'];

/** What the holders of a role may do, and how much of personal data they see. */
export function RoleSettings() {
  const [editing, setEditing] = useState<NamedRole | 'new' | null>(null);
  const [deleting, setDeleting] = useState<NamedRole | null>(null);
  return (
    <Panel
      title="Roles"
      note="What users may do and which personal data they see. A role of your own with the key of a built-in one takes its place."
      flush
      actions={
        <ActionButton
          needs="admin"
          leftSection={<IconPlus size={14} />}
          onClick={() => {
            setEditing('new');
          }}
        >
          New role
        </ActionButton>
      }
    >
      <List page={() => rolesQuery} columns={columns} empty={{ icon: <IconUserShield size={20} />, title: 'No roles' }}>
        {(roles) => roles.map((role) => <RoleRow key={role.key} role={role} onEdit={setEditing} onDelete={setDeleting} />)}
      </List>
      {editing !== null && (
        <RoleForm
          {...(editing === 'new' ? {} : { role: editing })}
          onClose={() => {
            setEditing(null);
          }}
        />
      )}
      {deleting !== null && (
        <Confirm
          title={`Delete ${deleting.title}?`}
          verb="Delete"
          run={() => deleteRole(deleting.key)}
          refresh={[rolesQuery.queryKey]}
          onClose={() => {
            setDeleting(null);
          }}
        >
          Users who hold it may do nothing until they get another one; where it replaced a built-in role, that one is back.
        </Confirm>
      )}
    </Panel>
  );
}

interface RoleRowProps {
  readonly role: NamedRole;
  readonly onEdit: (role: NamedRole) => void;
  readonly onDelete: (role: NamedRole) => void;
}

function RoleRow({ role, onEdit, onDelete }: RoleRowProps) {
  return (
    <Table.Tr>
      <Table.Td>
        <span className="q-list-title">
          {role.title} {role.builtIn && <Tag tone="quiet">built in</Tag>}
        </span>
        <span className="q-list-note q-mono">{role.key}</span>
      </Table.Td>
      <Table.Td>
        {role.scopes.map((scope) => (
          <Tag key={scope} tone={scope === 'admin' ? 'warning' : 'neutral'}>
            {scope}
          </Tag>
        ))}
      </Table.Td>
      <Table.Td>{maskWords(role.masks ?? [])}</Table.Td>
      <Table.Td ta="right">
        <Group gap={6} justify="flex-end" wrap="nowrap">
          {role.key !== 'admin' && (
            <ActionButton
              needs="admin"
              size="compact-xs"
              variant="default"
              onClick={() => {
                onEdit(role);
              }}
            >
              {role.builtIn ? 'Replace' : 'Change'}
              <span className="q-hidden-label"> {role.title}</span>
            </ActionButton>
          )}
          {!role.builtIn && (
            <ActionButton
              needs="admin"
              size="compact-xs"
              variant="default"
              onClick={() => {
                onDelete(role);
              }}
            >
              Delete<span className="q-hidden-label"> {role.title}</span>
            </ActionButton>
          )}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

function RoleForm({ role, onClose }: { readonly role?: NamedRole; readonly onClose: () => void }) {
  const queries = useQueryClient();
  const [key, setKey] = useState('');
  const [title, setTitle] = useState(role?.title ?? '');
  const [chosen, setChosen] = useState<readonly string[]>(role?.scopes ?? ['read']);
  const [masks, setMasks] = useState<readonly MaskRule[]>(role?.masks ?? [{ field: 'personal', mode: 'partial' }]);
  const save = useMutation({
    mutationFn: async () => {
      const body: RoleBody = { title: title.trim(), scopes: scopes.filter((scope) => chosen.includes(scope)), ...(masks.length > 0 ? { masks: [...masks] } : {}) };
      if (role === undefined) await createRole(key.trim(), body);
      else await replaceRole(role.key, body);
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: rolesQuery.queryKey });
      onClose();
    },
  });
  const problem = save.isError ? asProblem(save.error) : null;
  const findings = problem?.findings ?? [];
  const elsewhere = unplaced(findings, ['key', 'title', ...masks.flatMap((_, index) => [`masks[${index.toString()}].field`, `masks[${index.toString()}].mode`])]);
  const set = (index: number, change: Partial<MaskRule>) => {
    setMasks(masks.map((mask, at) => (at === index ? { ...mask, ...change } : mask)));
  };
  return (
    <Modal opened onClose={onClose} size="lg" title={role === undefined ? 'New role' : role.builtIn ? `Replace the built-in role ${role.title}` : `Change ${role.title}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack gap="sm">
          {problem !== null && (findings.length === 0 || elsewhere.length > 0) && <ProblemPanel error={new Problem(problem.status, problem.title, problem.detail, elsewhere)} />}
          {role === undefined && (
            <TextInput
              label="Key"
              description="Its name in the API"
              data-autofocus
              value={key}
              error={messageAt(findings, 'key') || null}
              onChange={(event) => {
                setKey(event.currentTarget.value);
              }}
            />
          )}
          <TextInput
            label="Title"
            value={title}
            error={messageAt(findings, 'title') || null}
            onChange={(event) => {
              setTitle(event.currentTarget.value);
            }}
          />
          <Checkbox.Group
            label="Scopes"
            value={[...chosen]}
            onChange={setChosen}
          >
            <Stack gap={8} mt={6}>
              {scopes.map((scope) => (
                <Checkbox key={scope} value={scope} label={scope} description={scopeNotes[scope]} />
              ))}
            </Stack>
          </Checkbox.Group>
          <div>
            <Text fw={500} size="sm">
              Personal data that is not shown in full
            </Text>
            <Text size="xs" c="dimmed" mb={6}>
              personal stands for all fields that hold personal data; traits.birthday for one field, traits.* for all traits. Without any rule everything is shown.
            </Text>
            <Stack gap={6}>
              {masks.map((mask, index) => (
                <div key={index} className="q-mask-row">
                  <Autocomplete
                    size="xs"
                    aria-label={`Field of mask ${(index + 1).toString()}`}
                    data={suggestions}
                    value={mask.field}
                    error={messageAt(findings, `masks[${index.toString()}].field`) || null}
                    onChange={(field) => {
                      set(index, { field });
                    }}
                  />
                  <NativeSelect
                    size="xs"
                    aria-label={`How mask ${(index + 1).toString()} shows it`}
                    data={[...modes]}
                    value={mask.mode}
                    onChange={(event) => {
                      set(index, { mode: modes.find(({ value }) => value === event.currentTarget.value)?.value ?? 'partial' });
                    }}
                  />
                  <ActionIcon
                    variant="default"
                    size={30}
                    aria-label={`Remove mask ${(index + 1).toString()}`}
                    onClick={() => {
                      setMasks(masks.filter((_, other) => other !== index));
                    }}
                  >
                    <IconX size={14} />
                  </ActionIcon>
                </div>
              ))}
            </Stack>
            <Button
              size="compact-xs"
              variant="default"
              mt={8}
              leftSection={<IconPlus size={12} />}
              disabled={masks.length >= 200}
              onClick={() => {
                setMasks([...masks, { field: '', mode: 'partial' }]);
              }}
            >
              Mask
            </Button>
          </div>
          <Group justify="flex-end" gap="xs" mt="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={chosen.length === 0 || title.trim() === '' || (role === undefined && key.trim() === '')}>
              {role === undefined ? 'Create role' : 'Save role'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
