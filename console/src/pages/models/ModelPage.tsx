import { Group } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconArrowBackUp, IconPencil, IconPlayerPlay, IconRefresh, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { useNavigate, useParams, useSearchParams } from 'react-router';
import {
  askForRun,
  definitionQuery,
  deleteModel,
  modelKeys,
  rollBackModel,
  standingQuery,
  trainedVersionQuery,
  type ModelJob,
  type Standing,
  type TrainedVersion,
} from '../../api/models';
import { count, fixed, noFigure } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { EmptyState } from '../../parts/EmptyState';
import { Figure, Figures } from '../../parts/Figure';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { Terms } from '../../parts/Terms';
import { ClassifierFigures } from './ClassifierFigures';
import { draftOf } from './draft';
import { DriftPanel } from './DriftPanel';
import { LifetimeFigures } from './LifetimeFigures';
import { ModelForm } from './ModelForm';
import { RunsPanel } from './RunsPanel';
import { SendTimeFigures } from './SendTimeFigures';
import { UpliftFigures } from './UpliftFigures';
import { VersionsPanel } from './VersionsPanel';
import { familyName, familyQuestion, featureWords, jobWords } from './words';
import './models.css';

/** One model: what is in use, how good it is, what was trained, and how its runs went. */
export function ModelPage() {
  const { key = '' } = useParams();
  const query = useQuery(standingQuery(key));
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={480} />}>
      {(standing) => <Model standing={standing} />}
    </Loaded>
  );
}

function Model({ standing }: { readonly standing: Standing }) {
  const [parameters, setParameters] = useSearchParams();
  const { key, name, family, champion, newest, paused, attribute } = standing;
  const wanted = Number(parameters.get('version') ?? 0);
  const shown = wanted > 0 ? wanted : (champion?.version ?? newest?.version ?? 0);
  const title = name === undefined || name === '' ? key : name;
  return (
    <>
      <PageHeader
        parent={{ to: '/models', label: 'Models' }}
        title={title}
        badges={
          <>
            <Tag>{familyName(family)}</Tag>
            {paused === true && <Tag tone="warning">paused</Tag>}
          </>
        }
        note={
          <>
            {familyQuestion(family)} Writes <span className="q-mono">{attribute}</span>.
          </>
        }
        actions={<Actions standing={standing} />}
      />
      <div className="q-stack">
        <StatePanel standing={standing} />
        {shown === 0 ? (
          <Panel>
            <EmptyState icon={<IconRefresh size={20} />} title="Not trained yet">
              {standing.job?.error !== undefined && standing.job.error !== '' ? standing.job.error : 'Train a version; it is tested on later people than those it learned from, and waits until somebody promotes it.'}
            </EmptyState>
          </Panel>
        ) : (
          <VersionFigures modelKey={key} version={shown} />
        )}
        <DriftPanel job={standing.scored} />
        <VersionsPanel
          modelKey={key}
          shown={shown}
          onShow={(version) => { setParameters(version === (champion?.version ?? newest?.version) ? {} : { version: version.toString() }); }}
        />
        <RunsPanel modelKey={key} />
      </div>
    </>
  );
}

function Actions({ standing }: { readonly standing: Standing }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [asking, setAsking] = useState<'edit' | 'delete' | 'back' | null>(null);
  const definition = useQuery({ ...definitionQuery(standing.key), enabled: asking === 'edit' });
  const run = useMutation({
    mutationFn: (kind: ModelJob['kind']) => askForRun(standing.key, kind),
    onSettled: () => Promise.all(modelKeys.map((queryKey) => queries.invalidateQueries({ queryKey }))),
  });
  const close = () => { setAsking(null); };
  const busy = standing.job !== undefined && standing.job.endedAt === undefined ? 'A run is under way.' : '';
  return (
    <Group gap="xs">
      <ActionButton needs="define" blocked={busy} loading={run.isPending} leftSection={<IconRefresh size={14} />} onClick={() => { run.mutate('train'); }}>
        Train
      </ActionButton>
      <ActionButton needs="define" variant="default" blocked={busy || (standing.champion === undefined ? 'No version is in use yet.' : '')} leftSection={<IconPlayerPlay size={14} />} onClick={() => { run.mutate('score'); }}>
        Score everybody
      </ActionButton>
      <ActionButton needs="define" variant="default" blocked={standing.champion === undefined ? 'No version is in use yet.' : ''} leftSection={<IconArrowBackUp size={14} />} onClick={() => { setAsking('back'); }}>
        Roll back
      </ActionButton>
      <ActionButton needs="define" variant="default" leftSection={<IconPencil size={14} />} onClick={() => { setAsking('edit'); }}>
        Edit
      </ActionButton>
      <ActionButton needs="define" variant="default" leftSection={<IconTrash size={14} />} onClick={() => { setAsking('delete'); }}>
        Delete
      </ActionButton>
      {run.isError && <ProblemPanel error={run.error} />}
      {asking === 'edit' && definition.isError && <ProblemPanel error={definition.error} />}
      {asking === 'edit' && definition.data !== undefined && (
        <ModelForm
          model={{ key: standing.key, draft: draftOf(definition.data.definition), body: bodyFrom(definition.data.definition), etag: definition.data.etag }}
          onSaved={close}
          onClose={close}
        />
      )}
      {asking === 'back' && (
        <Confirm title="Go back to the champion before?" verb="Roll back" loses={false} run={() => rollBackModel(standing.key)} refresh={modelKeys} onClose={close}>
          Version {standing.champion?.version} is retired and the one before it scores from the next run on.
        </Confirm>
      )}
      {asking === 'delete' && (
        <Confirm title={`Delete ${standing.key}?`} verb="Delete" run={() => deleteModel(standing.key)} refresh={modelKeys} onClose={close} onDone={() => { void navigate('/models'); }}>
          Nobody is scored any more, and {standing.attribute} goes from people with the next computation. Trained versions stay for a model of this key.
        </Confirm>
      )}
    </Group>
  );
}

/** A definition without what the service added. */
function bodyFrom({ key: _key, version: _version, updatedAt: _updatedAt, ...body }: Parameters<typeof draftOf>[0]) {
  return body;
}

function StatePanel({ standing }: { readonly standing: Standing }) {
  const { champion, newest, scored, job } = standing;
  const running = job !== undefined && job.endedAt === undefined ? job : undefined;
  return (
    <Panel title="State">
      <Figures>
        <Figure label="In use" value={champion === undefined ? noFigure : `version ${champion.version.toString()}`} note={champion?.learner ?? 'none is promoted yet'} />
        <Figure label="Learned" value={champion === undefined ? noFigure : <Moment at={champion.trainedAt} as="ago" />} note={champion === undefined ? undefined : `${count(champion.rows)} rows`} />
        <Figure label="Newest" value={newest === undefined ? noFigure : `version ${newest.version.toString()}`} note={newest?.state} />
        <Figure label="Scored" value={scored === undefined ? noFigure : <Moment at={scored.startedAt} as="ago" />} note={scored?.result} />
      </Figures>
      {running !== undefined && (
        <p className="q-run" role="status">
          <progress max={1} value={running.progress} aria-label="How far the run is" /> {jobWords(running)}
        </p>
      )}
    </Panel>
  );
}

function VersionFigures({ modelKey, version }: { readonly modelKey: string; readonly version: number }) {
  const query = useQuery(trainedVersionQuery(modelKey, version));
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={420} />}>
      {(data) => <Figured version={data} />}
    </Loaded>
  );
}

function Figured({ version }: { readonly version: TrainedVersion }) {
  const { metrics, learner } = version;
  if (metrics === undefined) return null;
  const dropped = metrics.dropped ?? [];
  return (
    <>
      <Panel title={`Version ${version.version.toString()}`} note={version.verdict} actions={metrics.sane ? <Tag tone="better">passed its test</Tag> : <Tag tone="worse">did not pass its test</Tag>}>
        <Terms
          entries={[
            ['Learner', learner],
            ['Data', <>from <Moment at={version.from} /> to <Moment at={version.to} />, features from before <Moment at={version.asOf} /></>],
            ['Learned from', `${count(version.rows)} rows in ${fixed(version.seconds, 1)} s`],
            ['Artefact', `${count(version.bytes / 1024)} KiB, by program version ${version.codeVersion}`],
            ...(dropped.length > 0 ? [['Not used', dropped.map(({ name, reason }) => `${featureWords(name)} (${reason})`).join(', ')] as const] : []),
          ]}
        />
      </Panel>
      {metrics.test !== undefined && <ClassifierFigures metrics={metrics} learner={learner} />}
      {metrics.lifetime !== undefined && <LifetimeFigures metrics={metrics.lifetime} learner={learner} />}
      {metrics.uplift !== undefined && <UpliftFigures metrics={metrics.uplift} learner={learner} />}
      {metrics.sendTime !== undefined && <SendTimeFigures metrics={metrics.sendTime} />}
    </>
  );
}
