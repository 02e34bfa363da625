import { Button, Group, Modal, Text } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { IconFileExport } from '@tabler/icons-react';
import { useState } from 'react';
import { useWhyNot } from '../../api/may';
import { exportProfile } from '../../api/privacy';
import { sessionQuery } from '../../api/session';
import { saveBlob } from '../../files/saveBlob';
import { ActionButton } from '../../parts/ActionButton';
import { ProblemPanel } from '../../parts/ProblemPanel';

/** Gives all that is known of a person as a file: what they may ask for. */
export function ExportPerson({ id }: { readonly id: string }) {
  const session = useQuery(sessionQuery);
  const refused = useWhyNot('admin');
  const [asking, setAsking] = useState(false);
  const fetched = useMutation({
    mutationFn: () => exportProfile(id),
    onSuccess: (blob) => {
      saveBlob(blob, `person-${id}.json`);
      setAsking(false);
    },
  });
  const masked = refused === '' && session.data?.masked === true ? 'Who sees personal data in part cannot export it.' : '';
  return (
    <>
      <ActionButton
        needs="admin"
        blocked={masked}
        variant="default"
        leftSection={<IconFileExport size={14} />}
        onClick={() => {
          fetched.reset();
          setAsking(true);
        }}
      >
        Export
      </ActionButton>
      {asking && (
        <Modal
          opened
          onClose={() => {
            setAsking(false);
          }}
          title="Export all that is known of this person?"
        >
          <Text mb="md">
            One JSON file with identifiers, traits and their sources, consents with their proof, segments, decisions and all events. Who exported it stands in the audit log.
          </Text>
          {fetched.isError && <ProblemPanel error={fetched.error} />}
          <Group justify="flex-end" gap="xs" mt="md">
            <Button
              variant="default"
              onClick={() => {
                setAsking(false);
              }}
            >
              Cancel
            </Button>
            <Button
              data-autofocus
              loading={fetched.isPending}
              onClick={() => {
                fetched.mutate();
              }}
            >
              Save the file
            </Button>
          </Group>
        </Modal>
      )}
    </>
  );
}
