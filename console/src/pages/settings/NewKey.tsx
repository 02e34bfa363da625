import { Button, Checkbox, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { createKey } from '../../api/settings';
import { CopyButton } from '../../parts/CopyButton';
import { ProblemPanel } from '../../parts/ProblemPanel';

const scopes = [
  { value: 'ingest', label: 'ingest', description: 'Send events, traits and logged decisions' },
  { value: 'decide', label: 'decide', description: 'Ask for decisions' },
  { value: 'read', label: 'read', description: 'Read definitions, profiles, decisions and reports' },
  { value: 'define', label: 'define', description: 'Change definitions: segments, attributes, experiments, rules' },
  { value: 'admin', label: 'admin', description: 'Everything, including keys, users and webhooks' },
] as const;

type Scope = (typeof scopes)[number]['value'];

/** Makes a key and shows its secret, which is never shown again. */
export function NewKey({ onClose }: { readonly onClose: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [chosen, setChosen] = useState<readonly Scope[]>(['ingest', 'decide']);
  const [masked, setMasked] = useState(false);
  const shows = chosen.some((scope) => scope === 'read' || scope === 'define' || scope === 'admin');
  const create = useMutation({
    mutationFn: () => createKey({ name: name.trim(), scopes: [...chosen], ...(masked && shows ? { masked: true } : {}) }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['api-keys'] }),
  });
  const secret = create.data?.secret;
  if (secret !== undefined) {
    return (
      <Modal opened onClose={onClose} title="Keep this secret now" closeOnClickOutside={false}>
        <Text mb="sm">It is shown this once. Only its hash is stored.</Text>
        <pre className="q-mono" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', padding: 12, borderRadius: 8, background: 'var(--q-raised)' }}>
          {secret}
        </pre>
        <Group justify="flex-end" gap="xs" mt="md">
          <CopyButton label="Copy secret" text={() => secret} />
          <Button size="xs" onClick={onClose}>
            Done
          </Button>
        </Group>
      </Modal>
    );
  }
  return (
    <Modal opened onClose={onClose} title="New API key">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <Stack gap="sm">
          {create.isError && <ProblemPanel error={create.error} />}
          <TextInput
            label="Name"
            description="The service that will use it"
            required
            withAsterisk={false}
            data-autofocus
            value={name}
            onChange={(event) => {
              setName(event.currentTarget.value);
            }}
          />
          <Checkbox.Group
            label="Scopes"
            value={[...chosen]}
            onChange={(values) => {
              setChosen(scopes.map((scope) => scope.value).filter((value) => values.includes(value)));
            }}
          >
            <Stack gap={8} mt={6}>
              {scopes.map((scope) => (
                <Checkbox key={scope.value} value={scope.value} label={scope.label} description={scope.description} />
              ))}
            </Stack>
          </Checkbox.Group>
          <Checkbox
            label="Mask personal data"
            description="Addresses, phones and names are shown in part only: a•••@example.org"
            checked={masked && shows}
            disabled={!shows}
            onChange={(event) => {
              setMasked(event.currentTarget.checked);
            }}
          />
          <Group justify="flex-end" gap="xs" mt="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={create.isPending} disabled={chosen.length === 0 || name.trim() === ''}>
              Create key
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
