import { Button, Group, SegmentedControl, Stack, Text, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { IconPlayerPlay } from '@tabler/icons-react';
import { useState } from 'react';
import { tryWebhook } from '../../api/webhooks';
import type { TriedMessage, WebhookBody, WebhookTrialResult } from '../../api/types';
import { count } from '../../format/number';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { scalarText } from '../../parts/scalar';
import { Tag } from '../../parts/Tag';
import { Terms } from '../../parts/Terms';
import { readJson, type Example } from './definition';

interface TryPanelProps {
  readonly hookKey: string;
  /** As it is in the editor; null while it cannot be read. */
  readonly definition: WebhookBody | null;
  readonly example: Example | null;
}

/** What a body would become by the definition in the editor; nothing is stored. */
export function TryPanel({ hookKey, definition, example }: TryPanelProps) {
  const [form, setForm] = useState(example !== null && 'form' in example.call);
  const [text, setText] = useState(example === null ? '' : 'form' in example.call ? example.call.form : JSON.stringify(example.call.payload, null, 2));
  const read = form ? { value: text } : readJson(text);
  const attempt = useMutation({
    mutationFn: (body: WebhookBody) => tryWebhook(hookKey, { definition: body, ...(form ? { form: text } : { payload: 'value' in read ? read.value : null }) }),
  });
  return (
    <Panel title="Try it" note="With the definition as it is in the editor, saved or not. Nothing is stored.">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (definition !== null && 'value' in read) attempt.mutate(definition);
        }}
      >
        <Stack gap="sm">
          <SegmentedControl
            size="xs"
            aria-label="How the body is sent"
            data={[
              { value: 'json', label: 'JSON' },
              { value: 'form', label: 'Form' },
            ]}
            value={form ? 'form' : 'json'}
            onChange={(value) => {
              setForm(value === 'form');
            }}
            style={{ alignSelf: 'flex-start' }}
          />
          <Textarea
            label="Body"
            description={form ? 'As a form sends it: name=value&other=value' : 'What the other system posts'}
            autosize
            minRows={8}
            maxRows={20}
            spellCheck={false}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.78125rem' } }}
            value={text}
            error={text !== '' && 'wrong' in read ? `The body ${read.wrong}` : null}
            onChange={(event) => {
              setText(event.currentTarget.value);
            }}
          />
          <Group justify="flex-end">
            <Button type="submit" variant="default" leftSection={<IconPlayerPlay size={14} />} loading={attempt.isPending} disabled={definition === null || text.trim() === '' || 'wrong' in read}>
              Try
            </Button>
          </Group>
          {attempt.isError && <ProblemPanel error={attempt.error} />}
          {attempt.isSuccess && <Result result={attempt.data} />}
        </Stack>
      </form>
    </Panel>
  );
}

function Result({ result }: { readonly result: WebhookTrialResult }) {
  const { messages, rejected, skipped } = result;
  return (
    <div className="q-trial" role="status">
      <Text fw={550}>
        {count(messages.length)} {messages.length === 1 ? 'message' : 'messages'}, {count(rejected.length)} rejected, {count(skipped.length)} skipped
      </Text>
      {messages.map((message, index) => (
        <Message key={index} message={message} />
      ))}
      {rejected.map((item) => (
        <div key={item.index} className="q-trial-item">
          <p>
            <Tag tone="worse">rejected</Tag> <span className="q-muted">item {item.index}</span>
          </p>
          <ul>
            {item.errors.map((error) => (
              <li key={`${error.location} ${error.message}`}>
                <code>{error.location.replace(/^body\.?/, '')}</code> {error.message}
              </li>
            ))}
          </ul>
        </div>
      ))}
      {skipped.length > 0 && (
        <div className="q-trial-item">
          <p>
            <Tag tone="quiet">skipped</Tag> <span className="q-muted">{skipped.length === 1 ? 'item' : 'items'} {skipped.join(', ')}: no template's conditions hold</span>
          </p>
        </div>
      )}
    </div>
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function Message({ message }: { readonly message: TriedMessage }) {
  const values = (group: string, of: unknown): (readonly [string, string])[] => (isRecord(of) ? Object.entries(of).map(([name, value]) => [`${group}.${name}`, scalarText(value)] as const) : []);
  const who = (message.identifiers ?? []).map(({ namespace, value }) => [namespace, value] as const);
  return (
    <div className="q-trial-item">
      <p>
        <Tag tone="accent">{message.type}</Tag> {message.event !== undefined && message.event !== '' && <b>{message.event}</b>} <span className="q-muted">item {message.item}</span>
      </p>
      <Terms
        entries={[
          ...who,
          ['time', <Moment key="time" at={message.time} as="second" />],
          ['messageId', message.messageId === '' || message.messageId === undefined ? <span key="id" className="q-muted">a new one each call</span> : message.messageId],
          ...values('traits', message.traits),
          ...values('properties', message.properties),
        ]}
      />
    </div>
  );
}
