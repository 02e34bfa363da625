import { Button, Group, Modal, Text } from '@mantine/core';
import { useMutation, useQueryClient, type QueryKey } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ProblemPanel } from './ProblemPanel';

interface ConfirmProps {
  readonly title: string;
  /** What happens, and what does not come back. */
  readonly children: ReactNode;
  /** The word on the button. */
  readonly verb: string;
  /** The word on the button that leaves it. */
  readonly leave?: string;
  /** Whether something is lost; the button is red then. */
  readonly loses?: boolean;
  readonly run: () => Promise<unknown>;
  /** What is to be read again when it is done. */
  readonly refresh: readonly QueryKey[];
  readonly onDone?: () => void;
  readonly onClose: () => void;
}

/** Asks once before something happens, and shows why it did not. */
export function Confirm({ title, children, verb, leave = 'Cancel', loses = true, run, refresh, onDone, onClose }: ConfirmProps) {
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: run,
    onSuccess: async () => {
      await Promise.all(refresh.map((queryKey) => queries.invalidateQueries({ queryKey })));
      onClose();
      onDone?.();
    },
  });
  return (
    <Modal opened onClose={onClose} title={title}>
      <Text component="div" mb="md">
        {children}
      </Text>
      {change.isError && <ProblemPanel error={change.error} />}
      <Group justify="flex-end" gap="xs" mt="md">
        <Button variant="default" onClick={onClose} data-autofocus>
          {leave}
        </Button>
        <Button
          {...(loses ? { color: 'red' } : {})}
          loading={change.isPending}
          onClick={() => {
            change.mutate();
          }}
        >
          {verb}
        </Button>
      </Group>
    </Modal>
  );
}
