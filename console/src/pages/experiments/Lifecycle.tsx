import { Button, Group, Menu, Modal, NativeSelect, Stack, Text, Textarea } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconChevronDown } from '@tabler/icons-react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { dropVariant, moveExperiment } from '../../api/experiments';
import { may, type Scope } from '../../api/may';
import { sessionQuery } from '../../api/session';
import type { Experiment } from '../../api/types';
import { ActionButton } from '../../parts/ActionButton';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { stepsOf, type Step } from './words';

interface StepText {
  readonly label: string;
  readonly title: string;
  readonly text: string;
  readonly needs: Scope;
  readonly loses?: boolean;
}

const texts: Readonly<Record<Exclude<Step, 'edit'>, StepText>> = {
  submit: { label: 'Submit for review', title: 'Submit this experiment for review?', text: 'Somebody else looks at it and approves it. An edit removes their approval.', needs: 'define' },
  approve: { label: 'Approve', title: 'Approve this experiment?', text: 'You say that it may start as it is. Whoever edited it last cannot approve it.', needs: 'approve' },
  reject: { label: 'Send back', title: 'Send this experiment back?', text: 'It becomes a draft again. Say what has to change.', needs: 'approve' },
  start: {
    label: 'Start',
    title: 'Start this experiment?',
    text: 'From now on, or from its planned time on, people are split by its weights. Weights, variants, salt and the way it is analysed can not be changed while it runs.',
    needs: 'define',
  },
  drop: { label: 'Drop an arm', title: 'Take an arm out?', text: 'Its people leave the experiment; those of the other arms stay where they are. It does not come back.', needs: 'define', loses: true },
  stop: {
    label: 'Stop',
    title: 'Stop this experiment?',
    text: 'Nobody is assigned any more and the decision point goes back to its own policy. The report stays. It does not start again.',
    needs: 'define',
    loses: true,
  },
  archive: { label: 'Archive', title: 'Archive this experiment?', text: 'It can be read and reported on, and never changes again.', needs: 'define' },
};

/** What can be done with an experiment where it is in its life: one button for the next step, the rest in a menu. */
export function Lifecycle({ experiment }: { readonly experiment: Experiment & { readonly key: string } }) {
  const [asking, setAsking] = useState<Exclude<Step, 'edit'> | null>(null);
  const session = useQuery(sessionQuery);
  const navigate = useNavigate();
  const steps = stepsOf(experiment).filter((step): step is Exclude<Step, 'edit'> => step !== 'edit');
  const editable = stepsOf(experiment).includes('edit');
  const [first, ...rest] = [...steps].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  const edit = `/experiments/${encodeURIComponent(experiment.key)}/edit`;
  return (
    <>
      {editable && (
        <ActionButton needs="define" variant="default" to={edit}>
          Edit
        </ActionButton>
      )}
      {first !== undefined && (
        <ActionButton
          needs={texts[first].needs}
          variant={texts[first].loses === true || first === 'archive' ? 'default' : 'filled'}
          onClick={() => {
            setAsking(first);
          }}
        >
          {texts[first].label}
        </ActionButton>
      )}
      <Menu position="bottom-end">
        <Menu.Target>
          <Button size="xs" variant="default" rightSection={<IconChevronDown size={14} />}>
            More
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {rest.map((step) => (
            <Menu.Item
              key={step}
              disabled={!may(session.data, texts[step].needs)}
              onClick={() => {
                setAsking(step);
              }}
            >
              {texts[step].label}
            </Menu.Item>
          ))}
          <Menu.Item disabled={!may(session.data, 'define')} onClick={() => void navigate(`/experiments/new?from=${encodeURIComponent(experiment.key)}`)}>
            Copy to a new one
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {asking !== null && (
        <StepDialog
          experiment={experiment}
          step={asking}
          onClose={() => {
            setAsking(null);
          }}
        />
      )}
    </>
  );
}

// The next step of a life comes first, those that end it last.
const order: readonly Step[] = ['approve', 'start', 'submit', 'stop', 'drop', 'reject', 'archive'];

interface StepDialogProps {
  readonly experiment: Experiment & { readonly key: string };
  readonly step: Exclude<Step, 'edit'>;
  readonly onClose: () => void;
}

function StepDialog({ experiment, step, onClose }: StepDialogProps) {
  const { label, title, text, loses = false } = texts[step];
  const arms = experiment.variants.filter(({ control, dropped }) => control !== true && dropped !== true);
  const [reason, setReason] = useState('');
  const [arm, setArm] = useState(arms[0]?.key ?? '');
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: () => (step === 'drop' ? dropVariant(experiment.key, arm, reason.trim()) : moveExperiment(experiment.key, step, reason.trim())),
    onSuccess: async () => {
      onClose();
      await Promise.all([['experiment', experiment.key], ['experiments'], ['report', experiment.key]].map((queryKey) => queries.invalidateQueries({ queryKey })));
    },
  });
  return (
    <Modal opened onClose={onClose} title={title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate();
        }}
      >
        <Stack gap="sm">
          <Text>{text}</Text>
          {step === 'drop' && (
            <NativeSelect
              label="Arm"
              data={arms.map((variant) => ({ value: variant.key, label: variant.name ?? variant.key }))}
              value={arm}
              onChange={(event) => {
                setArm(event.currentTarget.value);
              }}
            />
          )}
          <Textarea
            label="Why"
            description="It stands in the change log"
            autosize
            minRows={2}
            value={reason}
            onChange={(event) => {
              setReason(event.currentTarget.value);
            }}
          />
          {change.isError && <ProblemPanel error={change.error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose} data-autofocus>
              Cancel
            </Button>
            <Button type="submit" {...(loses ? { color: 'red' } : {})} loading={change.isPending} disabled={step === 'reject' && reason.trim() === ''}>
              {label}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
