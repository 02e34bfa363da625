import { Group } from '@mantine/core';
import { IconPlayerPause, IconPlayerPlay, IconPlayerStop } from '@tabler/icons-react';
import type { Move } from '../../api/campaigns';
import { ActionButton } from '../../parts/ActionButton';

interface MoveButtonsProps {
  readonly status: string | undefined;
  readonly busy: boolean;
  readonly onMove: (move: Move) => void;
}

/** Start, pause and stop, as far as the state allows. */
export function MoveButtons({ status = 'draft', busy, onMove }: MoveButtonsProps) {
  const begun = status === 'running' || status === 'paused';
  return (
    <Group gap="xs">
      {status !== 'running' && (
        <ActionButton needs="define" loading={busy} leftSection={<IconPlayerPlay size={14} />} onClick={() => { onMove('start'); }}>
          {status === 'paused' ? 'Go on' : 'Start'}
        </ActionButton>
      )}
      {status === 'running' && (
        <ActionButton needs="define" variant="default" loading={busy} leftSection={<IconPlayerPause size={14} />} onClick={() => { onMove('pause'); }}>
          Pause
        </ActionButton>
      )}
      {begun && (
        <ActionButton needs="define" variant="default" loading={busy} leftSection={<IconPlayerStop size={14} />} onClick={() => { onMove('stop'); }}>
          Stop
        </ActionButton>
      )}
    </Group>
  );
}
