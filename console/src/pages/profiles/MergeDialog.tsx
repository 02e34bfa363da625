import { Button, Group, Modal, Radio, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { mergeProfiles, profilesQuery } from '../../api/profiles';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { personName, personNote } from './person';

interface MergeDialogProps {
  readonly id: string;
  readonly name: string;
  readonly onClose: () => void;
}

/** Finds the other person, says what joining them means, and joins them. */
export function MergeDialog({ id, name, onClose }: MergeDialogProps) {
  const [text, setText] = useState('');
  const [other, setOther] = useState('');
  const [reason, setReason] = useState('');
  const [query] = useDebouncedValue(text.trim(), 200);
  const queries = useQueryClient();
  const navigate = useNavigate();
  const found = useQuery({ ...profilesQuery(query, 6), enabled: query !== '' });
  const people = query === '' ? [] : (found.data?.items ?? []).filter((person) => person.profileId !== id);
  const chosen = people.find((person) => person.profileId === other);
  const merge = useMutation({
    mutationFn: () => mergeProfiles(id, other, reason.trim()),
    onSuccess: async (joined) => {
      onClose();
      await Promise.all([queries.invalidateQueries({ queryKey: ['profile'] }), queries.invalidateQueries({ queryKey: ['profiles'] })]);
      if (joined.personId !== id) await navigate(`/profiles/${encodeURIComponent(joined.personId)}`, { replace: true });
    },
  });
  return (
    <Modal opened onClose={onClose} title={`Merge ${name} with another person`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          merge.mutate();
        }}
      >
        <Stack gap="sm">
          <TextInput
            label="The other person"
            placeholder="Identifier, name or e-mail"
            data-autofocus
            leftSection={<IconSearch size={15} />}
            value={text}
            onChange={(event) => {
              setText(event.currentTarget.value);
              setOther('');
            }}
          />
          {found.isError && <ProblemPanel error={found.error} />}
          {query !== '' && found.isSuccess && people.length === 0 && <Text c="dimmed">Nobody else is found. Identifiers are found by how they begin.</Text>}
          {people.length > 0 && (
            <Radio.Group aria-label="People found" value={other} onChange={setOther}>
              <Stack gap={8}>
                {people.map((person) => (
                  <Radio key={person.profileId} value={person.profileId} label={personName(person)} description={personNote(person)} />
                ))}
              </Stack>
            </Radio.Group>
          )}
          <TextInput label="Reason" description="Goes into the log" required withAsterisk={false} value={reason} onChange={(event) => { setReason(event.currentTarget.value); }} />
          {chosen !== undefined && (
            <Text>
              {name} and {personName(chosen)} become one person: one timeline, the traits of both by the rules of each trait, and the consents of
              both, where a refusal counts. Segments and attributes are worked out anew. Experiment arms do not change. An un-merge brings both back.
            </Text>
          )}
          {merge.isError && <ProblemPanel error={merge.error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={merge.isPending} disabled={chosen === undefined || reason.trim() === ''}>
              Make one person
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
