import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconArrowsJoin, IconArrowsSplit } from '@tabler/icons-react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { identityQuery, revokeEdge } from '../../api/profiles';
import type { IdentityEdge, PersonIdentity } from '../../api/types';
import { count } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { identityGraph, mergeEdges, profileLabel, ruleWords } from './identityGraph';
import { MergeDialog } from './MergeDialog';
import { orderedIdentifiers } from './person';
import './person-panels.css';

interface IdentityPanelProps {
  readonly id: string;
  readonly name: string;
}

/** Of which profiles a person is made, and why; with the means to change it. */
export function IdentityPanel({ id, name }: IdentityPanelProps) {
  const identity = useQuery(identityQuery(id));
  const [merging, setMerging] = useState(false);
  const [edge, setEdge] = useState<IdentityEdge | null>(null);
  return (
    <Panel
      title="Identity"
      note="The profiles and identifiers of this person."
      actions={
        <ActionButton
          needs="identity"
          variant="default"
          leftSection={<IconArrowsJoin size={14} />}
          onClick={() => {
            setMerging(true);
          }}
        >
          Merge
        </ActionButton>
      }
    >
      <Loaded query={identity} skeleton={<SkeletonBlock height={140} />}>
        {(data) => (
          <>
            {mergeEdges(data).length > 0 && <Drawing identity={data} />}
            <Profiles identity={data} />
            <Edges identity={data} onRevoke={setEdge} />
          </>
        )}
      </Loaded>
      {merging && (
        <MergeDialog
          id={id}
          name={name}
          onClose={() => {
            setMerging(false);
          }}
        />
      )}
      {edge !== null && (
        <Unmerge
          id={id}
          edge={edge}
          onClose={() => {
            setEdge(null);
          }}
        />
      )}
    </Panel>
  );
}

// The list below says the same in words; the drawing is for the eye alone.
function Drawing({ identity }: { readonly identity: PersonIdentity }) {
  const { points, lines } = identityGraph(identity);
  return (
    <svg className="q-identity" viewBox="-30 0 160 100" aria-hidden="true">
      {lines.map(({ id, from, to, live }) => (
        <line key={id} x1={from.x} y1={from.y} x2={to.x} y2={to.y} className={live ? 'q-identity-live' : 'q-identity-revoked'} />
      ))}
      {points.map(({ id, x, y, label, inside }) => (
        <g key={id}>
          <circle cx={x} cy={y} r={4} className={inside ? 'q-identity-in' : 'q-identity-out'} />
          <text x={x} y={y > 50 ? y + 10 : y - 7} textAnchor="middle" className="q-identity-label">
            {label.length > 26 ? `${label.slice(0, 25)}…` : label}
          </text>
        </g>
      ))}
    </svg>
  );
}

function Profiles({ identity }: { readonly identity: PersonIdentity }) {
  const profiles = identity.profiles ?? [];
  return (
    <ul className="q-person-list" aria-label="Profiles and identifiers">
      {profiles.map((profile) => (
        <li key={profile.profileId}>
          {profiles.length > 1 && (
            <div className="q-person-note">
              <span className="q-mono">{profile.profileId}</span> · {count(profile.eventCount)} messages
            </div>
          )}
          {orderedIdentifiers({ ...profile, traits: {} }).map((identifier) => (
            <div key={`${identifier.namespace} ${identifier.value}`} className="q-person-row">
              <span className="q-muted">{identifier.namespace}</span>
              <span className="q-person-value">{identifier.value}</span>
              <span className="q-faint">
                since <Moment at={identifier.firstSeen} />
              </span>
            </div>
          ))}
        </li>
      ))}
    </ul>
  );
}

interface EdgesProps {
  readonly identity: PersonIdentity;
  readonly onRevoke: (edge: IdentityEdge) => void;
}

function Edges({ identity, onRevoke }: EdgesProps) {
  const edges = mergeEdges(identity);
  const profiles = new Map((identity.profiles ?? []).map((profile) => [profile.profileId, profile]));
  if (edges.length === 0) return <p className="q-person-note">Never joined to another profile.</p>;
  return (
    <>
      <h3 className="q-person-heading">What joins them</h3>
      <ul className="q-person-list" aria-label="Edges">
        {edges.map((edge) => {
          const [a = '', b = ''] = edge.profiles ?? [];
          return (
            <li key={edge.id} className={edge.live ? undefined : 'q-person-over'}>
              <div className="q-person-line">
                <span>
                  <b>{profileLabel(profiles.get(a), a)}</b> and <b>{profileLabel(profiles.get(b), b)}</b>
                </span>
                {edge.live ? (
                  <ActionButton
                    needs="identity"
                    size="compact-xs"
                    variant="subtle"
                    leftSection={<IconArrowsSplit size={13} />}
                    onClick={() => {
                      onRevoke(edge);
                    }}
                  >
                    Un-merge
                  </ActionButton>
                ) : (
                  <Tag tone="quiet">revoked</Tag>
                )}
              </div>
              <div className="q-person-note">
                {ruleWords(edge.rule)} · <Moment at={edge.at} />
                {edge.by !== undefined && edge.by !== '' && ` · ${edge.by}`}
                {edge.source !== undefined && edge.source !== '' && (
                  <>
                    {' '}
                    · source <span className="q-mono">{edge.source}</span>
                  </>
                )}
                {edge.evidence !== undefined && edge.evidence !== '' && (
                  <>
                    {' '}
                    · evidence <span className="q-mono">{edge.evidence}</span>
                  </>
                )}
                {edge.reason !== undefined && edge.reason !== '' && ` · “${edge.reason}”`}
              </div>
            </li>
          );
        })}
      </ul>
    </>
  );
}

interface UnmergeProps {
  readonly id: string;
  readonly edge: IdentityEdge;
  readonly onClose: () => void;
}

function Unmerge({ id, edge, onClose }: UnmergeProps) {
  const [reason, setReason] = useState('');
  const queries = useQueryClient();
  const navigate = useNavigate();
  const revoke = useMutation({
    mutationFn: () => revokeEdge(id, edge.id, reason.trim()),
    onSuccess: async (left) => {
      onClose();
      await Promise.all([queries.invalidateQueries({ queryKey: ['profile'] }), queries.invalidateQueries({ queryKey: ['profiles'] })]);
      if (left.personId !== id) await navigate(`/profiles/${encodeURIComponent(left.personId)}`, { replace: true });
    },
  });
  return (
    <Modal opened onClose={onClose} title="Un-merge these profiles?">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          revoke.mutate();
        }}
      >
        <Stack gap="sm">
          <Text>
            They become two people again, each as before: events, traits and consents stay with the profile that they came with. They stay apart
            until somebody joins them by hand or a trusted source does. Experiment arms do not change.
          </Text>
          {revoke.isError && <ProblemPanel error={revoke.error} />}
          <TextInput label="Reason" description="Goes into the log" data-autofocus required withAsterisk={false} value={reason} onChange={(event) => { setReason(event.currentTarget.value); }} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" color="red" loading={revoke.isPending} disabled={reason.trim() === ''}>
              Tell apart
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
