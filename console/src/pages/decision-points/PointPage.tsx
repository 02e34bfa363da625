import { useQuery } from '@tanstack/react-query';
import { IconActivity } from '@tabler/icons-react';
import { useParams } from 'react-router';
import { pointDecisionsQuery } from '../../api/decisions';
import { pointQuery } from '../../api/points';
import { ActionButton } from '../../parts/ActionButton';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock, SkeletonRows } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { DecisionTable } from '../decisions/DecisionTable';
import { ActivityPanel } from './ActivityPanel';
import { DefinitionPanel } from './DefinitionPanel';
import { ModelPanel } from './ModelPanel';
import { PointDryRunPanel } from './PointDryRunPanel';
import { PointVersionsPanel } from './PointVersionsPanel';
import { PreviewPanel } from './PreviewPanel';

const recentRows = 15;

export function PointPage() {
  const { key = '' } = useParams();
  const point = useQuery(pointQuery(key));
  return (
    <Loaded query={point} skeleton={<SkeletonBlock height={420} />}>
      {(data) => (
        <>
          <PageHeader
            parent={{ to: '/decision-points', label: 'Decision points' }}
            title={data.name ?? data.key}
            badges={
              <>
                <Tag>{data.class ?? 'advertising'}</Tag>
                <Tag tone="quiet">version {data.version}</Tag>
              </>
            }
            note={<span className="q-mono">{data.key}</span>}
            actions={
              <ActionButton needs="define" variant="default" to={`/decision-points/${encodeURIComponent(key)}/edit`}>
                Edit
              </ActionButton>
            }
          />
          <div className="q-stack">
            <DefinitionPanel point={data} />
            <PreviewPanel pointKey={key} />
            <PointDryRunPanel pointKey={key} />
            <ActivityPanel pointKey={key} />
            <ModelPanel pointKey={key} bandit={data.policy.type === 'bandit'} />
            <RecentDecisions pointKey={key} />
            <PointVersionsPanel point={data} />
          </div>
        </>
      )}
    </Loaded>
  );
}

function RecentDecisions({ pointKey }: { readonly pointKey: string }) {
  const query = useQuery(pointDecisionsQuery(pointKey, recentRows));
  return (
    <Panel title="Latest decisions" note="Open one to see why it was made." flush>
      <Loaded query={query} skeleton={<SkeletonRows />}>
        {(data) =>
          (data.items ?? []).length === 0 ? (
            <EmptyState icon={<IconActivity size={20} />} title="Nobody has asked yet" />
          ) : (
            <DecisionTable decisions={data.items ?? []} columns={{ point: false }} />
          )
        }
      </Loaded>
    </Panel>
  );
}
