import { Button, Group, Modal, Radio, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconEraser } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { eraseProfile } from '../../api/profiles';
import { ActionButton } from '../../parts/ActionButton';
import { ProblemPanel } from '../../parts/ProblemPanel';

const modes = [
  { value: 'erase', label: 'Erase', description: 'Decisions and exposures stay as numbers under random ids, so that reports stay right' },
  { value: 'anonymise', label: 'Make anonymous', description: 'All events stay in that form' },
  { value: 'purge', label: 'Purge', description: 'Nothing stays; reports about the past change' },
] as const;

type Mode = (typeof modes)[number]['value'];

/** Erases a person from every store, after the id was typed. */
export function ErasePerson({ id }: { readonly id: string }) {
  const [asking, setAsking] = useState(false);
  return (
    <>
      <ActionButton
        needs="admin"
        variant="default"
        leftSection={<IconEraser size={14} />}
        onClick={() => {
          setAsking(true);
        }}
      >
        Erase
      </ActionButton>
      {asking && (
        <EraseDialog
          id={id}
          onClose={() => {
            setAsking(false);
          }}
        />
      )}
    </>
  );
}

function EraseDialog({ id, onClose }: { readonly id: string; readonly onClose: () => void }) {
  const [mode, setMode] = useState<Mode>('erase');
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const queries = useQueryClient();
  const navigate = useNavigate();
  const erase = useMutation({ mutationFn: () => eraseProfile(id, reason.trim(), mode) });
  if (erase.data !== undefined) {
    const done = async () => {
      queries.removeQueries({ queryKey: ['profile', id] });
      await queries.invalidateQueries({ queryKey: ['profiles'] });
      await navigate('/profiles');
    };
    return (
      <Modal opened onClose={() => void done()} title="The erasure has begun">
        <Text mb="sm">
          It goes on by itself, after a restart too, and refuses the person’s identifiers from now on. How far it is, and the proof when it is done, stand under{' '}
          <Link className="q-link" to="/privacy">
            Privacy
          </Link>{' '}
          as <span className="q-mono">{erase.data.id}</span>.
        </Text>
        <Group justify="flex-end">
          <Button data-autofocus onClick={() => void done()}>
            Back to profiles
          </Button>
        </Group>
      </Modal>
    );
  }
  return (
    <Modal opened onClose={onClose} title="Erase this person?">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          erase.mutate();
        }}
      >
        <Stack gap="sm">
          <Text>The person is taken out of every store, and nothing can bring them back. Messages with one of their identifiers are refused from then on.</Text>
          <Radio.Group
            aria-label="What may stay"
            value={mode}
            onChange={(value) => {
              setMode(modes.find((each) => each.value === value)?.value ?? 'erase');
            }}
          >
            <Stack gap={8}>
              {modes.map((each) => (
                <Radio key={each.value} value={each.value} label={each.label} description={each.description} />
              ))}
            </Stack>
          </Radio.Group>
          <TextInput label="Reason" description="It stays: do not name the person" value={reason} onChange={(event) => { setReason(event.currentTarget.value); }} />
          <TextInput
            label={
              <>
                Type <span className="q-mono">{id}</span> to confirm
              </>
            }
            autoComplete="off"
            value={typed}
            onChange={(event) => {
              setTyped(event.currentTarget.value);
            }}
          />
          {erase.isError && <ProblemPanel error={erase.error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose} data-autofocus>
              Cancel
            </Button>
            <Button type="submit" color="red" loading={erase.isPending} disabled={typed.trim() !== id}>
              Erase for ever
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
