import { Button, Checkbox, JsonInput, NumberInput, Select, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { campaignQuery, saveCampaign, type TaggedCampaign } from '../../api/campaigns';
import { useWhyNot } from '../../api/may';
import type { CampaignBody } from '../../api/types';
import { Loaded } from '../../parts/Loaded';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import './campaigns.css';
import { ConsentFields } from './ConsentFields';
import { blank, bodyOf, draftOf, jsonFault, type Draft } from './draft';
import { useChoices } from './useChoices';
import { keyFrom } from './words';

/** Makes a campaign, or changes one. */
export function CampaignEditorPage() {
  const { key = '' } = useParams();
  const query = useQuery({ ...campaignQuery(key), enabled: key !== '', refetchOnWindowFocus: false, refetchOnMount: 'always' });
  if (key === '') return <Editor key="" />;
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={480} />}>
      {(found) => <Editor key={found.etag} found={found} />}
    </Loaded>
  );
}

function Editor({ found }: { readonly found?: TaggedCampaign }) {
  const refused = useWhyNot('define');
  const choices = useChoices();
  const [draft, setDraft] = useState<Draft>(() => (found === undefined ? blank : draftOf(found.campaign)));
  const [ownKey, setOwnKey] = useState('');
  const navigate = useNavigate();
  const queries = useQueryClient();
  const key = found?.campaign.key ?? (ownKey || keyFrom(draft.name));
  const set = (change: Partial<Draft>) => {
    save.reset();
    setDraft((was) => ({ ...was, ...change }));
  };
  const save = useMutation({
    mutationFn: (body: CampaignBody) => saveCampaign(key, body, found?.etag ?? ''),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['campaigns'] });
      await navigate(`/campaigns/${encodeURIComponent(key)}`);
    },
  });
  const fault = jsonFault(draft.condition);
  const recurring = draft.kind !== 'once';
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate(bodyOf(draft));
      }}
    >
      <PageHeader
        parent={{ to: '/campaigns', label: 'Campaigns' }}
        title={found === undefined ? 'New campaign' : `Edit ${found.campaign.name ?? key}`}
        actions={
          <>
            <Button size="xs" variant="default" component={Link} to={found === undefined ? '/campaigns' : `/campaigns/${encodeURIComponent(key)}`}>
              Cancel
            </Button>
            <Button size="xs" type="submit" loading={save.isPending} disabled={refused !== '' || key === '' || fault !== ''} title={refused}>
              Save
            </Button>
          </>
        }
      />
      {save.isError && <ProblemPanel error={save.error} />}
      <div className="q-stack">
        <Panel title="What it is">
          <div className="q-form">
            <TextInput label="Name" value={draft.name} onChange={(event) => { set({ name: event.currentTarget.value }); }} />
            <TextInput label="Key" disabled={found !== undefined} value={key} onChange={(event) => { setOwnKey(event.currentTarget.value); }} />
            <Select label="Decision point" description="Says for each person whether, what, where and how" searchable data={choices.points} value={draft.decisionPoint || null} onChange={(value) => { set({ decisionPoint: value ?? '' }); }} />
          </div>
        </Panel>
        <Panel title="Whom it contacts">
          <div className="q-form">
            <Select label="In the segment" clearable searchable data={choices.segments} value={draft.segment || null} onChange={(value) => { set({ segment: value ?? '' }); }} />
            <Select label="Not in the segment" clearable searchable data={choices.segments} value={draft.without || null} onChange={(value) => { set({ without: value ?? '' }); }} />
            <JsonInput label="Condition" description={'Such as {"country": {"$in": ["at", "de"]}}'} autosize minRows={1} value={draft.condition} error={fault || undefined} onChange={(condition) => { set({ condition }); }} />
            {draft.segment === '' && draft.condition.trim() === '' && (
              <Checkbox label="Everybody" checked={draft.everybody} onChange={(event) => { set({ everybody: event.currentTarget.checked }); }} />
            )}
          </div>
        </Panel>
        <Panel title="What allows it" note="Nobody is contacted without a basis. It is looked at when deciding and again when sending.">
          <ConsentFields value={draft} purposes={choices.purposes} onChange={set} />
        </Panel>
        <Panel title="When">
          <div className="q-form">
            <Select label="Schedule" allowDeselect={false} data={['once', 'daily', 'weekly', 'monthly']} value={draft.kind} onChange={(value) => { set({ kind: (value ?? 'once') as Draft['kind'] }); }} />
            {!recurring && <TextInput type="datetime-local" label="At" description="When started, if left empty" value={draft.at} onChange={(event) => { set({ at: event.currentTarget.value }); }} />}
            {recurring && <TextInput label="Time of day" placeholder="09:00" value={draft.time} onChange={(event) => { set({ time: event.currentTarget.value }); }} />}
            {recurring && <TextInput label="Time zone" placeholder="Europe/Berlin" value={draft.zone} onChange={(event) => { set({ zone: event.currentTarget.value }); }} />}
            {draft.kind === 'weekly' && (
              <Checkbox.Group label="Days" value={draft.weekdays.map(String)} onChange={(days) => { set({ weekdays: days.map(Number).sort((a, b) => a - b) }); }}>
                {['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'].map((day, i) => (
                  <Checkbox key={day} size="xs" label={day} value={i.toString()} />
                ))}
              </Checkbox.Group>
            )}
            {draft.kind === 'monthly' && <NumberInput label="Day of the month" min={1} max={31} value={draft.day} onChange={(value) => { set({ day: Number(value) }); }} />}
            <TextInput label="Sent at each person's time" description="In their time zone; at once when empty" placeholder="10:00" value={draft.localTime} onChange={(event) => { set({ localTime: event.currentTarget.value }); }} />
          </div>
        </Panel>
      </div>
    </form>
  );
}
