import { Button } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { IconCheck, IconCopy } from '@tabler/icons-react';

interface CopyButtonProps {
  readonly label: string;
  readonly text: () => string;
}

/** Puts a text on the clipboard and says that it did. */
export function CopyButton({ label, text }: CopyButtonProps) {
  const clipboard = useClipboard({ timeout: 1600 });
  return (
    <Button
      variant="default"
      size="xs"
      leftSection={clipboard.copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
      onClick={() => {
        clipboard.copy(text());
      }}
    >
      {clipboard.copied ? 'Copied' : label}
    </Button>
  );
}
