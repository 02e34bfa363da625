import { Button, Group, Modal, Stack, Text, Textarea } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { discardQuarantined, replayQuarantined, type Selection } from '../../api/quality';
import { count } from '../../format/number';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { readPatch } from './words';

interface SettleDialogProps {
  readonly how: 'replay' | 'discard';
  readonly what: Selection;
  /** What is meant: "3 chosen". */
  readonly words: string;
  readonly onClose: () => void;
}

/** Takes refused messages in, corrected or as they are, or settles them without. */
export function SettleDialog({ how, what, words, onClose }: SettleDialogProps) {
  const queries = useQueryClient();
  const [text, setText] = useState('');
  const read = readPatch(text);
  const settle = useMutation({
    mutationFn: async (): Promise<{ readonly told: string; readonly more: boolean; readonly why: readonly string[] }> => {
      if (how === 'discard') {
        const { discarded, more } = await discardQuarantined(what);
        return { told: `${count(discarded)} discarded.`, more, why: [] };
      }
      const { stored, refused, more, items } = await replayQuarantined(what, 'patch' in read ? read.patch : undefined);
      const why = new Set(items.flatMap((item) => (item.errors ?? []).map(({ location, message }) => `${location} ${message}`)));
      return { told: `${count(stored)} taken in, ${count(refused)} stay in quarantine.`, more, why: [...why].slice(0, 5) };
    },
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: ['quarantine'] }), queries.invalidateQueries({ queryKey: ['quarantined'] }), queries.invalidateQueries({ queryKey: ['sources'] })]),
  });
  const done = settle.data;
  return (
    <Modal opened onClose={onClose} title={how === 'replay' ? `Take messages in: ${words}` : `Discard messages: ${words}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          settle.mutate();
        }}
      >
        <Stack gap="sm">
          {done === undefined ? (
            <Text size="sm">
              {how === 'replay'
                ? 'Each goes in as if it had come when it was refused. What still breaks a rule stays, with the new reason. Up to 500 at a time.'
                : 'They are settled without being taken in, and what they said is removed. Up to 500 at a time.'}
            </Text>
          ) : (
            <div role="status">
              <Text fw={550}>{done.told}</Text>
              {done.why.length > 0 && (
                <ul className="q-problem-findings">
                  {done.why.map((why) => (
                    <li key={why}>{why}</li>
                  ))}
                </ul>
              )}
              {done.more && <Text size="sm">There are more: do it again.</Text>}
            </div>
          )}
          {how === 'replay' && (done === undefined || done.more || done.why.length > 0) && (
            <Textarea
              label="Correction"
              description="A JSON merge patch, the same for all of them; empty to try them as they are. For a webhook, correct its mapping and leave this empty."
              placeholder={'{"event": "Order Completed"}'}
              autosize
              minRows={3}
              maxRows={10}
              spellCheck={false}
              styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.78125rem' } }}
              value={text}
              error={'wrong' in read ? read.wrong : null}
              onChange={(event) => {
                setText(event.currentTarget.value);
              }}
            />
          )}
          {settle.isError && <ProblemPanel error={settle.error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {done === undefined ? 'Cancel' : 'Done'}
            </Button>
            {(done === undefined || done.more || done.why.length > 0) && (
              <Button type="submit" {...(how === 'discard' ? { color: 'red' } : {})} loading={settle.isPending} disabled={'wrong' in read}>
                {how === 'replay' ? (done === undefined ? 'Take in' : 'Try again') : 'Discard'}
              </Button>
            )}
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
