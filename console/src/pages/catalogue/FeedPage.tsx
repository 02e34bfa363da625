import { Group } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { deleteFeed, feedQuery, feedRunsQuery, runFeed, type FeedState } from '../../api/catalogue';
import { useMay } from '../../api/may';
import { count } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Allowed } from '../../parts/Allowed';
import { Confirm } from '../../parts/Confirm';
import { Figure, Figures } from '../../parts/Figure';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { FeedForm } from './FeedForm';
import { FeedRunsPanel } from './FeedRunsPanel';
import { feedStanding } from './words';
import './catalogue.css';

const parent = { to: '/catalogue/feeds', label: 'Feeds' };

/** A feed, new or as it stands: its definition, its runs, and what they did not take. */
export function FeedPage() {
  const { key = '' } = useParams();
  if (key === 'new') {
    return (
      <>
        <PageHeader title="New feed" parent={parent} note="It is read as soon as it is saved, and then on its schedule." />
        <Allowed needs="admin">
          <FeedForm />
        </Allowed>
      </>
    );
  }
  return <Existing key={key} feed={key} />;
}

function Existing({ feed }: { readonly feed: string }) {
  const mayEdit = useMay('admin');
  const runs = useQuery(feedRunsQuery(feed));
  const definition = useQuery({ ...feedQuery(feed), enabled: mayEdit });
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [deleting, setDeleting] = useState(false);
  const refresh = () => Promise.all([['feeds'], ['recommenders'], ['catalogue']].map((queryKey) => queries.invalidateQueries({ queryKey })));
  const run = useMutation({ mutationFn: () => runFeed(feed), onSettled: refresh });
  const data = definition.data;
  return (
    <>
      <PageHeader
        title={data?.name ?? feed}
        parent={parent}
        badges={
          <>
            {runs.data !== undefined && <Badge state={runs.data.state} />}
            {data?.paused === true && <Tag tone="quiet">paused</Tag>}
          </>
        }
        note={<span className="q-mono">{feed}</span>}
        actions={
          <Group gap="xs">
            <ActionButton needs="admin" loading={run.isPending} onClick={() => { run.mutate(); }}>
              Run now
            </ActionButton>
            <ActionButton needs="admin" variant="default" blocked={data === undefined ? 'It is being read.' : ''} onClick={() => { setDeleting(true); }}>
              Delete
            </ActionButton>
          </Group>
        }
      />
      <div className="q-stack">
        {run.isError && <ProblemPanel error={run.error} />}
        <Loaded query={runs} skeleton={<SkeletonBlock height={220} />}>
          {({ state, items }) => (
            <>
              <Standing state={state} />
              <FeedRunsPanel runs={items} />
            </>
          )}
        </Loaded>
        <Allowed needs="admin">
          <Loaded query={definition} skeleton={<SkeletonBlock height={320} />}>
            {(loaded) => <FeedForm key={loaded.version} feed={loaded} />}
          </Loaded>
        </Allowed>
      </div>
      {deleting && data !== undefined && (
        <Confirm
          title={`Delete ${data.name ?? feed}?`}
          verb="Delete"
          run={() => deleteFeed(feed, data.version)}
          refresh={[['recommenders'], ['catalogue']]}
          onDone={() => { void navigate('/catalogue/feeds'); }}
          onClose={() => { setDeleting(false); }}
        >
          It is not read any more. Its items stay as they are, and do not expire.
        </Confirm>
      )}
    </>
  );
}

function Badge({ state }: { readonly state: FeedState }) {
  const { word, tone } = feedStanding(state);
  return (
    <>
      <Tag tone={tone}>{word}</Tag>
      {state.stale && word !== 'stale' && <Tag tone="warning">stale</Tag>}
    </>
  );
}

function Standing({ state }: { readonly state: FeedState }) {
  return (
    <>
      <Figures>
        <Figure label="Items" value={count(state.items)} />
        <Figure label="Last run" value={<Moment at={state.lastRun} as="ago" />} />
        <Figure label="Last success" value={<Moment at={state.lastSuccess} as="ago" />} />
        <Figure label="Rejected by the last run" value={count(state.rejected)} />
      </Figures>
      {(state.stale || state.expired) && (
        <p className="q-stale" role="status">
          {state.expired ? 'Its items are not recommended until it succeeds again.' : 'Twice its pause has gone by without a run that succeeded.'}
        </p>
      )}
    </>
  );
}
