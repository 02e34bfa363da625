import { Button, Group, Modal, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconPlayerPlay, IconPlayerStop } from '@tabler/icons-react';
import { experimentQuery, experimentsQuery, startExperiment, stopExperiment } from '../../api/experiments';
import type { Experiment } from '../../api/types';
import { ProblemPanel } from '../../parts/ProblemPanel';

const texts = {
  start: {
    label: 'Start',
    title: 'Start this experiment?',
    text: 'From now on people at its decision point are split by its weights. Weights, variants and salt can not be changed while it runs.',
  },
  stop: {
    label: 'Stop',
    title: 'Stop this experiment?',
    text: 'Nobody is assigned any more and the decision point goes back to its own policy. The report stays.',
  },
} as const;

/** Starts a draft and stops a running experiment, after asking once. */
export function StartStop({ experiment }: { readonly experiment: Experiment }) {
  const [asking, { open, close }] = useDisclosure(false);
  const queries = useQueryClient();
  const step = experiment.status === 'running' ? 'stop' : 'start';
  const change = useMutation({
    mutationFn: () => (step === 'stop' ? stopExperiment(experiment.key) : startExperiment(experiment.key)),
    onSuccess: async () => {
      close();
      await Promise.all([
        queries.invalidateQueries({ queryKey: experimentQuery(experiment.key).queryKey }),
        queries.invalidateQueries({ queryKey: experimentsQuery.queryKey }),
        queries.invalidateQueries({ queryKey: ['report', experiment.key] }),
      ]);
    },
  });
  if (experiment.status === 'stopped') return null;
  const { label, title, text } = texts[step];
  return (
    <>
      <Button
        size="xs"
        variant={step === 'start' ? 'filled' : 'default'}
        leftSection={step === 'start' ? <IconPlayerPlay size={14} /> : <IconPlayerStop size={14} />}
        onClick={() => {
          change.reset();
          open();
        }}
      >
        {label}
      </Button>
      <Modal opened={asking} onClose={close} title={title}>
        <Text mb="md">{text}</Text>
        {change.isError && <ProblemPanel error={change.error} />}
        <Group justify="flex-end" mt="md" gap="xs">
          <Button variant="default" onClick={close} data-autofocus>
            Cancel
          </Button>
          <Button
            color={step === 'stop' ? 'red' : 'iris'}
            loading={change.isPending}
            onClick={() => {
              change.mutate();
            }}
          >
            {label} {experiment.key}
          </Button>
        </Group>
      </Modal>
    </>
  );
}
