import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { decisionQuery } from '../../api/decisions';
import { experimentQuery } from '../../api/experiments';
import { pointQuery } from '../../api/points';
import type { DecisionWhy } from '../../api/types';
import { Group } from '../../parts/Group';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { isStanding } from '../experiments/standing';
import { CandidatesPanel } from './CandidatesPanel';
import { FiveAnswers } from './FiveAnswers';
import { InputsPanel } from './InputsPanel';
import { RemovedPanel } from './RemovedPanel';
import { ReplayVerdict } from './ReplayVerdict';
import { VersionsPanel } from './VersionsPanel';
import { explorationOf, floorOf } from './distribution';
import './why.css';

export function DecisionPage() {
  const { id = '' } = useParams();
  const query = useQuery(decisionQuery(id));
  return (
    <Loaded
      query={query}
      skeleton={
        <div className="q-stack">
          <SkeletonBlock height={56} />
          <SkeletonBlock height={120} />
          <SkeletonBlock height={360} />
        </div>
      }
    >
      {(data) => <Why why={data} />}
    </Loaded>
  );
}

function Why({ why }: { readonly why: DecisionWhy }) {
  const { record, replay } = why;
  return (
    <>
      <PageHeader
        parent={{ to: `/profiles/${encodeURIComponent(record.profileId)}`, label: 'Profile' }}
        title={`Why ${record.decision}`}
        shown={
          <>
            Why this decision at{' '}
            <Link className="q-quiet" to={`/decision-points/${encodeURIComponent(record.decision)}`}>
              {record.decision}
            </Link>
            ?
          </>
        }
        badges={
          <>
            <Tag>{record.class}</Tag>
            {record.fallback && <Tag tone="warning">fallback</Tag>}
          </>
        }
        note={
          <>
            <span className="q-mono">{record.decisionId}</span> · <Moment at={record.decidedAt} as="second" /> · <Group name={record.group} />
          </>
        }
      />
      <div className="q-stack">
        <div className="q-columns">
          <Panel title="In plain words">
            <ol className="q-why-story">
              {(why.explanation ?? []).map((sentence) => (
                <li key={sentence}>{sentence}</li>
              ))}
            </ol>
            {record.fallback && record.fallbackReason !== undefined && record.fallbackReason !== '' && (
              <p className="q-why-fallback">Fallback: {record.fallbackReason}</p>
            )}
          </Panel>
          <ReplayVerdict replay={replay} />
        </div>
        <FiveAnswers record={record} />
        <Candidates why={why} />
        <div className="q-columns">
          <InputsPanel record={record} />
          <div className="q-stack">
            <VersionsPanel record={record} />
            <RemovedPanel record={record} />
          </div>
        </div>
      </div>
    </>
  );
}

// The floor stands in the definitions, not in the record. It is drawn only when
// the decision point's is still the one that decided; a running experiment's
// variants are fixed.
function Candidates({ why }: { readonly why: DecisionWhy }) {
  const { record } = why;
  const learned = record.policy === 'bandit';
  const point = useQuery({ ...pointQuery(record.decision), enabled: learned });
  const trial = (record.experiments ?? []).find((experiment) => !isStanding(experiment.key));
  const experiment = useQuery({ ...experimentQuery(trial?.key ?? ''), enabled: learned && trial !== undefined });
  const variant = experiment.data?.variants?.find((each) => each.key === trial?.variant);
  const known = point.data?.version === record.pointVersion && (trial === undefined || variant !== undefined);
  const floor =
    learned && known ? floorOf(explorationOf(point.data?.policy, variant?.policy), (record.candidates ?? []).length) : undefined;
  return <CandidatesPanel record={record} floor={floor} />;
}
