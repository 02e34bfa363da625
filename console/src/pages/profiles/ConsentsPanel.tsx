import { Button, Group, Modal, NativeSelect, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconPencil } from '@tabler/icons-react';
import { useState } from 'react';
import { consentsQuery, consentSubjectsQuery, stateConsent, suppressionsQuery } from '../../api/profiles';
import type { ConsentEvidence, ConsentState, Identifier } from '../../api/types';
import { ActionButton } from '../../parts/ActionButton';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag, type Tone } from '../../parts/Tag';
import './person-panels.css';

const tones: Readonly<Record<string, Tone>> = {
  granted: 'better',
  denied: 'worse',
  withdrawn: 'worse',
  pending: 'warning',
  expired: 'warning',
  unknown: 'quiet',
};

function everyOr(key: string, what: string): string {
  return key === '*' ? `every ${what}` : key;
}

interface ConsentsPanelProps {
  readonly id: string;
  readonly identifiers: readonly Identifier[];
}

/** What the person agreed to and refused, with the proof, and where nothing is sent. */
export function ConsentsPanel({ id, identifiers }: ConsentsPanelProps) {
  const consents = useQuery(consentsQuery(id));
  const [stating, setStating] = useState(false);
  return (
    <Panel
      title="Consents"
      note="What holds now, by purpose, topic and channel."
      actions={
        <ActionButton
          needs="ingest"
          variant="default"
          leftSection={<IconPencil size={14} />}
          onClick={() => {
            setStating(true);
          }}
        >
          Record
        </ActionButton>
      }
    >
      <Loaded query={consents} skeleton={<SkeletonBlock height={90} />}>
        {(card) => {
          const states = card.purposes ?? [];
          const statements = card.statements ?? [];
          return (
            <>
              {states.length === 0 ? <p className="q-person-note">Nothing was said, and no purpose is defined.</p> : <States states={states} />}
              {statements.length > 0 && <Statements statements={statements} />}
            </>
          );
        }}
      </Loaded>
      <Suppressed identifiers={identifiers} />
      {stating && (
        <StateConsent
          id={id}
          onClose={() => {
            setStating(false);
          }}
        />
      )}
    </Panel>
  );
}

function States({ states }: { readonly states: readonly ConsentState[] }) {
  return (
    <ul className="q-person-list" aria-label="What holds now">
      {states.map((state) => (
        <li key={`${state.purpose} ${state.topic ?? ''}`}>
          <div className="q-person-line">
            <span>
              {state.title || everyOr(state.purpose, 'purpose')}
              {state.topic !== undefined && state.topic !== '' && <span className="q-muted"> · topic {state.topic}</span>}
            </span>
            <Tag tone={tones[state.status] ?? 'neutral'}>{state.status}</Tag>
          </div>
          {Object.entries(state.channels)
            .sort(([a], [b]) => a.localeCompare(b))
            .map(([channel, status]) => (
              <div key={channel} className="q-person-line q-person-inner">
                <span className="q-muted">{everyOr(channel, 'channel')}</span>
                <Tag tone={tones[status] ?? 'neutral'}>{status}</Tag>
              </div>
            ))}
        </li>
      ))}
    </ul>
  );
}

function Statements({ statements }: { readonly statements: readonly ConsentEvidence[] }) {
  return (
    <>
      <h3 className="q-person-heading">What was said</h3>
      <ul className="q-person-list" aria-label="What was said">
        {statements.map((statement) => {
          const { proof } = statement;
          const proven = [
            proof.text && `“${proof.text}”`,
            proof.documentVersion && `terms ${proof.documentVersion}`,
            proof.ip && `from ${proof.ip}`,
            proof.url,
          ].filter(Boolean);
          return (
            <li key={`${statement.messageId} ${statement.purpose} ${statement.channel} ${statement.topic ?? ''}`}>
              <div>
                <b>{statement.status}</b> {everyOr(statement.purpose, 'purpose')}, {everyOr(statement.channel, 'channel')}
                {statement.topic !== undefined && statement.topic !== '' && `, topic ${statement.topic}`}
              </div>
              <div className="q-person-note">
                <Moment at={statement.time} /> · {statement.source || 'unknown source'}
                {statement.expiresAt !== undefined && (
                  <>
                    {' '}
                    · until <Moment at={statement.expiresAt} />
                  </>
                )}
                {proven.length > 0 ? ` · ${proven.join(' · ')}` : ' · no proof given'}
              </div>
            </li>
          );
        })}
      </ul>
    </>
  );
}

const reasons: Readonly<Record<string, string>> = {
  bounce: 'it does not arrive there',
  complaint: 'they complained',
  manual: 'by hand',
  unsubscribe: 'they unsubscribed',
  erasure: 'they were erased',
};

function Suppressed({ identifiers }: { readonly identifiers: readonly Identifier[] }) {
  const addresses = identifiers.map(({ namespace, value }) => `${namespace}:${value}`);
  const found = useQuery({ ...suppressionsQuery(addresses), enabled: addresses.length > 0 });
  if (found.isError) return <p className="q-person-note">Whether an address is suppressed could not be read.</p>;
  if ((found.data ?? []).length === 0) return null;
  return (
    <>
      <h3 className="q-person-heading">Suppressed addresses</h3>
      <ul className="q-person-list" aria-label="Suppressed addresses">
        {(found.data ?? []).map((entry) => (
          <li key={`${entry.namespace} ${entry.value ?? ''}`}>
            <div className="q-person-line">
              <span>
                <span className="q-muted">{entry.namespace}</span> {entry.value}
              </span>
              <Tag tone="worse">{entry.scope === 'all' ? 'nothing is sent' : 'no advertising'}</Tag>
            </div>
            <div className="q-person-note">
              {reasons[entry.reason] ?? entry.reason} · <Moment at={entry.createdAt} />
              {entry.note !== undefined && entry.note !== '' && ` · “${entry.note}”`}
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}

const choices = [
  { value: 'granted', label: 'gives consent' },
  { value: 'denied', label: 'refuses' },
  { value: 'withdrawn', label: 'withdraws consent' },
] as const;

function StateConsent({ id, onClose }: { readonly id: string; readonly onClose: () => void }) {
  const subjects = useQuery(consentSubjectsQuery);
  const [status, setStatus] = useState<(typeof choices)[number]['value']>('granted');
  const [purpose, setPurpose] = useState('');
  const [topic, setTopic] = useState('');
  const [channel, setChannel] = useState('');
  const [reason, setReason] = useState('');
  const queries = useQueryClient();
  const state = useMutation({
    mutationFn: () =>
      stateConsent(id, {
        status,
        purpose,
        proof: { text: reason.trim() },
        ...(topic ? { topic } : {}),
        ...(channel ? { channel } : {}),
      }),
    onSuccess: async () => {
      onClose();
      await queries.invalidateQueries({ queryKey: ['profile', id] });
    },
  });
  return (
    <Modal opened onClose={onClose} title="Record what the person said">
      <Loaded query={subjects} skeleton={<SkeletonBlock height={200} />}>
        {({ purposes, topics, channels }) => (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              state.mutate();
            }}
          >
            <Stack gap="sm">
              {purposes.length === 0 && <Text c="dimmed">No purpose is defined yet: PUT /v1/purposes/marketing makes one.</Text>}
              <NativeSelect
                label="The person"
                data-autofocus
                value={status}
                data={[...choices]}
                onChange={(event) => {
                  setStatus(choices.find(({ value }) => value === event.currentTarget.value)?.value ?? 'granted');
                }}
              />
              <NativeSelect
                label="Purpose"
                value={purpose}
                data={[{ value: '', label: 'Choose a purpose' }, ...purposes.map(({ key, title }) => ({ value: key, label: title || key })), ...(status === 'granted' ? [] : [{ value: '*', label: 'Every purpose' }])]}
                onChange={(event) => {
                  setPurpose(event.currentTarget.value);
                  setTopic('');
                }}
              />
              <NativeSelect
                label="Topic"
                value={topic}
                data={[{ value: '', label: 'All topics' }, ...topics.filter((each) => each.purpose === purpose).map(({ key, title }) => ({ value: key, label: title || key }))]}
                onChange={(event) => {
                  setTopic(event.currentTarget.value);
                }}
              />
              <NativeSelect
                label="Channel"
                value={channel}
                data={[{ value: '', label: 'Every channel' }, ...channels.map(({ key, name }) => ({ value: key, label: name || key }))]}
                onChange={(event) => {
                  setChannel(event.currentTarget.value);
                }}
              />
              <TextInput
                label="How they said it"
                description="Kept as the proof, such as “told us on the phone”"
                required
                withAsterisk={false}
                value={reason}
                onChange={(event) => {
                  setReason(event.currentTarget.value);
                }}
              />
              {state.isError && <ProblemPanel error={state.error} />}
              <Group justify="flex-end" gap="xs">
                <Button variant="default" onClick={onClose}>
                  Cancel
                </Button>
                <Button type="submit" loading={state.isPending} disabled={purpose === '' || reason.trim() === ''}>
                  Save statement
                </Button>
              </Group>
            </Stack>
          </form>
        )}
      </Loaded>
    </Modal>
  );
}
