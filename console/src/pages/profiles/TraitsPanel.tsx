import { ActionIcon, Button, Group, Modal, Stack, Switch, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconPencil, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { useMay } from '../../api/may';
import { editTrait, profileLineageQuery } from '../../api/profiles';
import type { Profile, TraitFact } from '../../api/types';
import { percent } from '../../format/number';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { scalarText } from '../../parts/scalar';
import { isMasked, typedValue } from './attributes';
import './person-panels.css';

const rules: Readonly<Record<string, string>> = {
  recent: 'the latest counts',
  trusted: 'the most trusted source counts',
  complete: 'the most complete counts',
  confidence: 'the surest source counts',
};

interface TraitsPanelProps {
  readonly profile: Profile;
}

/** What is known of the person, and where each value comes from. */
export function TraitsPanel({ profile }: TraitsPanelProps) {
  const may = useMay('define');
  const [sources, setSources] = useState(false);
  const [editing, setEditing] = useState<{ readonly trait: string; readonly value: unknown } | null>(null);
  const traits = Object.entries(profile.traits as Record<string, unknown>).sort(([a], [b]) => a.localeCompare(b));
  return (
    <Panel
      title="Traits"
      note={traits.length === 0 ? 'Nothing is known of this person beyond the identifiers.' : undefined}
      actions={
        <>
          {traits.length > 0 && (
            <Switch
              size="xs"
              label="Sources"
              checked={sources}
              onChange={(event) => {
                setSources(event.currentTarget.checked);
              }}
            />
          )}
          {may && (
            <ActionIcon
              variant="default"
              aria-label="Add a trait"
              onClick={() => {
                setEditing({ trait: '', value: '' });
              }}
            >
              <IconPlus size={15} />
            </ActionIcon>
          )}
        </>
      }
    >
      {sources ? (
        <Lineage id={profile.profileId} onEdit={setEditing} />
      ) : (
        <ul className="q-person-list" aria-label="Traits">
          {traits.map(([trait, value]) => (
            <li key={trait} className="q-person-line">
              <span className="q-person-pair">
                <span className="q-muted">{trait}</span>
                <Value value={value} />
              </span>
              <Edit trait={trait} value={value} onEdit={setEditing} />
            </li>
          ))}
        </ul>
      )}
      {editing !== null && (
        <EditTrait
          id={profile.profileId}
          trait={editing.trait}
          value={editing.value}
          onClose={() => {
            setEditing(null);
          }}
        />
      )}
    </Panel>
  );
}

function Value({ value }: { readonly value: unknown }) {
  return (
    <span className="q-person-value" title={isMasked(value) ? 'Your role sees personal data only in part' : undefined}>
      {scalarText(value)}
      {isMasked(value) && <span className="q-hidden-label"> (shown in part: your role does not see personal data)</span>}
    </span>
  );
}

type OnEdit = (edited: { readonly trait: string; readonly value: unknown }) => void;

function Edit({ trait, value, onEdit }: { readonly trait: string; readonly value: unknown; readonly onEdit: OnEdit }) {
  const may = useMay('define');
  // Saving a value that is seen only in part would replace the real one.
  if (!may || isMasked(value)) return null;
  return (
    <ActionIcon
      size="sm"
      variant="subtle"
      color="gray"
      aria-label={`Edit ${trait}`}
      onClick={() => {
        onEdit({ trait, value });
      }}
    >
      <IconPencil size={14} />
    </ActionIcon>
  );
}

function Lineage({ id, onEdit }: { readonly id: string; readonly onEdit: OnEdit }) {
  const profile = useQuery(profileLineageQuery(id));
  return (
    <Loaded query={profile} skeleton={<SkeletonBlock height={120} />}>
      {(data) => {
        const byTrait = new Map<string, TraitFact[]>();
        for (const fact of data.lineage ?? []) byTrait.set(fact.trait, [...(byTrait.get(fact.trait) ?? []), fact]);
        return (
          <ul className="q-person-list" aria-label="Traits and their sources">
            {[...byTrait].map(([trait, facts]) => (
              <li key={trait}>
                <div className="q-person-line">
                  <span>
                    <b>{trait}</b> {facts[0]?.personal === true && <Tag tone="quiet">personal</Tag>}{' '}
                    <span className="q-person-note">{rules[facts[0]?.rule ?? ''] ?? ''}</span>
                  </span>
                  <Edit trait={trait} value={facts.find(({ chosen }) => chosen)?.value ?? ''} onEdit={onEdit} />
                </div>
                {facts.map((fact) => (
                  <div key={`${fact.source} ${fact.messageId} ${fact.time}`} className="q-person-inner">
                    <div className="q-person-line">
                      <Value value={fact.value} />
                      {fact.chosen ? <Tag tone="accent">chosen</Tag> : fact.rejected !== undefined && fact.rejected !== '' ? <Tag tone="worse">refused</Tag> : null}
                    </div>
                    <div className="q-person-note">
                      {fact.sourceName || fact.source || 'unknown source'} · <Moment at={fact.time} /> · confidence {percent(fact.confidence, 0)}
                      {fact.rejected !== undefined && fact.rejected !== '' && ` · ${fact.rejected}`}
                    </div>
                  </div>
                ))}
              </li>
            ))}
          </ul>
        );
      }}
    </Loaded>
  );
}

interface EditTraitProps {
  readonly id: string;
  readonly trait: string;
  readonly value: unknown;
  readonly onClose: () => void;
}

function EditTrait({ id, trait, value, onClose }: EditTraitProps) {
  const [name, setName] = useState(trait);
  const [text, setText] = useState(() => (typeof value === 'string' && typedValue(value) !== value && value !== '' ? JSON.stringify(value) : value === '' ? '' : scalarText(value)));
  const queries = useQueryClient();
  const edit = useMutation({
    mutationFn: () => editTrait(id, name.trim(), typedValue(text)),
    onSuccess: async () => {
      onClose();
      await queries.invalidateQueries({ queryKey: ['profile', id] });
    },
  });
  return (
    <Modal opened onClose={onClose} title={trait === '' ? 'Add a trait' : `Edit ${trait}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          edit.mutate();
        }}
      >
        <Stack gap="sm">
          {trait === '' && <TextInput label="Name" data-autofocus value={name} onChange={(event) => { setName(event.currentTarget.value); }} />}
          <TextInput
            label="Value"
            description="A text, a number, true or false, or JSON. Empty when it is not known any more."
            data-autofocus={trait !== '' || undefined}
            value={text}
            onChange={(event) => {
              setText(event.currentTarget.value);
            }}
          />
          <p className="q-person-note">Your edit is one more source, with full confidence; the rule of the trait says whether it counts.</p>
          {edit.isError && <ProblemPanel error={edit.error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={edit.isPending} disabled={name.trim() === ''}>
              Save trait
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
