import { Badge } from '@mantine/core';

const colours: Readonly<Record<string, string>> = { running: 'teal', draft: 'gray', stopped: 'dark' };

/** The state of an experiment. */
export function Status({ status = 'draft' }: { readonly status: string | undefined }) {
  return (
    <Badge color={colours[status] ?? 'gray'} variant={status === 'running' ? 'light' : 'outline'}>
      {status}
    </Badge>
  );
}
