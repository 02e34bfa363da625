import { Button, Group } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconArrowLeft, IconArrowRight, IconCheck } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router';
import { experimentQuery, saveExperiment } from '../../api/experiments';
import { asProblem } from '../../api/problem';
import type { Experiment } from '../../api/types';
import { Allowed } from '../../parts/Allowed';
import { Loaded } from '../../parts/Loaded';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { AudienceStep } from './AudienceStep';
import { bodyOf, draftOf, emptyDraft, openIn, parts, type Draft, type Part } from './draft';
import { HypothesisStep } from './HypothesisStep';
import { MetricsStep } from './MetricsStep';
import { PowerStep } from './PowerStep';
import { ReviewStep } from './ReviewStep';
import { SplitStep } from './SplitStep';
import './wizard.css';

const titles: Readonly<Record<Part, { readonly title: string; readonly note: string }>> = {
  hypothesis: { title: 'Hypothesis', note: 'What you expect to happen, and why. Written down before, so that nobody can find it afterwards.' },
  metrics: { title: 'Metrics', note: 'What decides, what must not be harmed, and what is only shown.' },
  audience: { title: 'Audience', note: 'Who may take part.' },
  split: { title: 'Split', note: 'What people get, and how many of them.' },
  power: { title: 'Power', note: 'How many people and days it takes to see the effect that matters to you.' },
  review: { title: 'Review', note: 'All of it, before it is saved as a draft.' },
};

/** Makes an experiment, changes one, or copies one: question after question. */
export function WizardPage() {
  const { key = '' } = useParams();
  const [parameters] = useSearchParams();
  const from = parameters.get('from') ?? '';
  const read = key !== '' ? key : from;
  const query = useQuery({ ...experimentQuery(read), enabled: read !== '', refetchOnWindowFocus: false });
  return (
    <Allowed needs="define">
      {read === '' ? (
        <Wizard draft={emptyDraft} version={null} started={false} />
      ) : (
        <Loaded query={query} skeleton={<SkeletonBlock height={480} />}>
          {(experiment) => (key === '' ? <Wizard key={from} draft={copyOf(experiment)} version={null} started={false} /> : <Wizard key={`${key} ${experiment.version.toString()}`} draft={draftOf(key, experiment)} version={experiment.version} started={experiment.startedAt !== undefined} />)}
        </Loaded>
      )}
    </Allowed>
  );
}

// A copy begins a life of its own: people are assigned anew, and nothing is scheduled.
function copyOf(experiment: Experiment): Draft {
  const draft = draftOf('', experiment);
  const rest: Partial<Record<string, unknown>> = { ...draft.rest };
  for (const field of ['salt', 'status', 'bucketVersion', 'minBucketVersion']) delete rest[field];
  return { ...draft, name: `${draft.name} again`, startAt: '', endAt: '', arms: draft.arms.filter(({ dropped }) => !dropped), rest };
}

interface WizardProps {
  readonly draft: Draft;
  /** Of the experiment that is changed; null for a new one. */
  readonly version: number | null;
  /** Much of an experiment that has started stays as it is. */
  readonly started: boolean;
}

function Wizard({ draft: before, version, started }: WizardProps) {
  const [draft, setDraft] = useState(before);
  const [part, setPart] = useState<Part>('hypothesis');
  const queries = useQueryClient();
  const navigate = useNavigate();
  const save = useMutation({
    mutationFn: () => saveExperiment(draft.key, bodyOf(draft), version),
    onSuccess: async () => {
      await Promise.all([['experiments'], ['experiment', draft.key], ['report', draft.key]].map((queryKey) => queries.invalidateQueries({ queryKey })));
      await navigate(`/experiments/${encodeURIComponent(draft.key)}`);
    },
  });
  const at = parts.indexOf(part);
  const open = parts.flatMap((each) => openIn(draft, each).map((text) => ({ part: each, text })));
  const set = (change: Partial<Draft>) => {
    setDraft({ ...draft, ...change });
  };
  const go = (index: number) => {
    const next = parts[index];
    if (next !== undefined) setPart(next);
  };
  const step = { draft, set, started };
  return (
    <>
      <PageHeader
        parent={{ to: '/experiments', label: 'Experiments' }}
        title={version === null ? 'New experiment' : `Edit ${before.name === '' ? before.key : before.name}`}
        note={started ? 'It has started: weights, variants, salt and the way it is analysed stay as they are; the service says so where a change is refused.' : undefined}
        actions={
          <Button size="xs" variant="default" component={Link} to={version === null ? '/experiments' : `/experiments/${encodeURIComponent(before.key)}`}>
            Cancel
          </Button>
        }
      />
      <div className="q-wizard">
        <nav aria-label="Steps">
          <ol className="q-wizard-steps">
            {parts.map((each, index) => {
              const done = openIn(draft, each).length === 0 && index < at;
              return (
                <li key={each}>
                  <button
                    type="button"
                    className={done ? 'q-wizard-step q-wizard-done' : 'q-wizard-step'}
                    {...(each === part ? { 'aria-current': 'step' as const } : {})}
                    onClick={() => {
                      setPart(each);
                    }}
                  >
                    <span className="q-wizard-mark" aria-hidden="true">
                      {done ? <IconCheck size={12} /> : index + 1}
                    </span>
                    {titles[each].title}
                  </button>
                </li>
              );
            })}
          </ol>
        </nav>
        <div>
          {save.isError && <ProblemPanel error={asProblem(save.error)} />}
          <Panel title={titles[part].title} note={titles[part].note}>
            {part === 'hypothesis' && <HypothesisStep {...step} fresh={version === null} />}
            {part === 'metrics' && <MetricsStep {...step} />}
            {part === 'audience' && <AudienceStep {...step} />}
            {part === 'split' && <SplitStep {...step} />}
            {part === 'power' && <PowerStep {...step} />}
            {part === 'review' && <ReviewStep {...step} />}
            <div className="q-wizard-foot">
              <ul className="q-wizard-open" aria-live="polite">
                {(part === 'review' ? open : open.filter((each) => each.part === part)).map(({ text }) => (
                  <li key={text}>{text}</li>
                ))}
              </ul>
              <Group gap="xs" wrap="nowrap">
                {at > 0 && (
                  <Button
                    variant="default"
                    leftSection={<IconArrowLeft size={14} />}
                    onClick={() => {
                      go(at - 1);
                    }}
                  >
                    Back
                  </Button>
                )}
                {part !== 'review' ? (
                  <Button
                    rightSection={<IconArrowRight size={14} />}
                    onClick={() => {
                      go(at + 1);
                    }}
                  >
                    {titles[parts[at + 1] ?? 'review'].title}
                  </Button>
                ) : (
                  <Button
                    loading={save.isPending}
                    disabled={open.length > 0}
                    onClick={() => {
                      save.mutate();
                    }}
                  >
                    {version === null ? 'Save as a draft' : 'Save changes'}
                  </Button>
                )}
              </Group>
            </div>
          </Panel>
        </div>
      </div>
    </>
  );
}
