import { Button, Group, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { asProblem, Problem } from '../../api/problem';
import type { Webhook, WebhookBody } from '../../api/types';
import { createWebhook, replaceWebhook, webhookQuery } from '../../api/webhooks';
import { Allowed } from '../../parts/Allowed';
import { Loaded } from '../../parts/Loaded';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { bodyOf, examples, readDefinition, split, written, type Example } from './definition';
import { TryPanel } from './TryPanel';
import './webhooks.css';

const parent = { to: '/webhooks', label: 'Webhooks' };

/** One webhook: its definition beside a place to try it. */
export function WebhookPage() {
  const { key = '' } = useParams();
  if (key === 'new') {
    return (
      <Allowed needs="admin">
        <Editor key="new" />
      </Allowed>
    );
  }
  return (
    <Allowed needs="admin">
      <Existing webhook={key} />
    </Allowed>
  );
}

function Existing({ webhook }: { readonly webhook: string }) {
  const query = useQuery(webhookQuery(webhook));
  return (
    <>
      {query.data === undefined && <PageHeader title={webhook} parent={parent} />}
      <Loaded query={query} skeleton={<SkeletonBlock height={420} />}>
        {(data) => <Editor key={`${data.key} ${data.version.toString()}`} webhook={data} />}
      </Loaded>
    </>
  );
}

function Editor({ webhook }: { readonly webhook?: Webhook }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const first = examples[0];
  const before = webhook === undefined ? '' : written(bodyOf(webhook));
  const [key, setKey] = useState('');
  const [text, setText] = useState(webhook === undefined && first !== undefined ? written(first.body) : before);
  const [example, setExample] = useState<Example | null>(webhook === undefined ? (first ?? null) : null);
  const read = readDefinition(text);
  const save = useMutation({
    mutationFn: async (body: WebhookBody) => {
      if (webhook === undefined) await createWebhook(key.trim(), body);
      else await replaceWebhook(webhook.key, webhook.version, body);
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['webhooks'] });
      if (webhook === undefined) void navigate(`/webhooks/${encodeURIComponent(key.trim())}`, { replace: true });
    },
  });
  const problem = save.isError ? asProblem(save.error) : null;
  const { key: keyProblem, rest } = split(problem?.findings ?? []);
  return (
    <>
      <PageHeader
        title={webhook?.name ?? 'New webhook'}
        parent={parent}
        badges={webhook?.inactive === true ? <Tag tone="warning">refuses calls</Tag> : undefined}
        note={webhook === undefined ? undefined : `POST /v1/hooks/${webhook.key}, version ${webhook.version.toString()}`}
      />
      <div className="q-webhook">
        <Panel title="Definition" note="Each item becomes a message for each template whose conditions hold. A path that an item lacks is an error, unless the field has a default or is optional.">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if ('value' in read) save.mutate(read.value);
            }}
          >
            <Stack gap="sm">
              {problem !== null && (problem.findings.length === 0 || rest.length > 0) && <ProblemPanel error={new Problem(problem.status, problem.title, problem.detail, rest)} />}
              {webhook === undefined && (
                <>
                  <Group gap={6}>
                    <Text size="sm" c="dimmed">
                      Begin with
                    </Text>
                    {examples.map((each) => (
                      <Button
                        key={each.key}
                        size="compact-xs"
                        variant={example === each ? 'light' : 'default'}
                        aria-pressed={example === each}
                        onClick={() => {
                          setExample(each);
                          setText(written(each.body));
                          save.reset();
                        }}
                      >
                        {each.title}
                      </Button>
                    ))}
                  </Group>
                  <TextInput
                    label="Key"
                    description={`The last part of its address: /v1/hooks/${key.trim() === '' ? (example?.key ?? 'crm') : key.trim()}`}
                    placeholder={example?.key ?? 'crm'}
                    value={key}
                    error={keyProblem || null}
                    onChange={(event) => {
                      setKey(event.currentTarget.value);
                    }}
                  />
                </>
              )}
              <Textarea
                label="Mapping"
                description="JSON: name, auth, items, messages"
                autosize
                minRows={16}
                maxRows={36}
                spellCheck={false}
                styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.78125rem' } }}
                value={text}
                error={'wrong' in read ? `The mapping ${read.wrong}` : null}
                onChange={(event) => {
                  setText(event.currentTarget.value);
                }}
              />
              <Group justify="flex-end" gap="xs">
                {webhook !== undefined && text !== before && (
                  <Button
                    variant="default"
                    onClick={() => {
                      setText(before);
                      save.reset();
                    }}
                  >
                    Undo changes
                  </Button>
                )}
                <Button type="submit" loading={save.isPending} disabled={'wrong' in read || (webhook === undefined ? key.trim() === '' : text === before)}>
                  {webhook === undefined ? 'Create webhook' : 'Save webhook'}
                </Button>
              </Group>
            </Stack>
          </form>
        </Panel>
        <TryPanel key={example?.key ?? 'saved'} hookKey={webhook?.key ?? (key.trim() === '' ? (example?.key ?? 'new') : key.trim())} definition={'value' in read ? read.value : null} example={example} />
      </div>
    </>
  );
}
