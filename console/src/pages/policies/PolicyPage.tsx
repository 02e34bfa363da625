import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useParams } from 'react-router';
import { policyKeys, policyQuery, releasePolicy } from '../../api/policies';
import type { PolicyState } from '../../api/types';
import { count, noFigure, significant } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { Figure, Figures } from '../../parts/Figure';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { ActivityPanel } from '../decision-points/ActivityPanel';
import { policyText } from '../decision-points/policyText';
import { CandidatesPanel } from './CandidatesPanel';
import { HealthPanel } from './HealthPanel';
import { PosteriorPanel } from './PosteriorPanel';
import { PromotionsPanel } from './PromotionsPanel';
import { VersionsPanel } from './VersionsPanel';

/** The policy of a decision point: what it has learned, what might replace it, and how it came. */
export function PolicyPage() {
  const { key = '' } = useParams();
  const query = useQuery(policyQuery(key));
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={420} />}>
      {(state) => (
        <>
          <PageHeader
            parent={{ to: `/decision-points/${encodeURIComponent(key)}`, label: key }}
            title="Policy"
            badges={
              <>
                <Tag>{policyText(state.policy)}</Tag>
                {state.pin !== undefined && <Tag tone="warning">gone back to version {state.pin.version}</Tag>}
              </>
            }
            note={`Version ${state.pointVersion.toString()} of the decision point`}
          />
          <div className="q-stack">
            <StatePanel pointKey={key} state={state} />
            <CandidatesPanel pointKey={key} state={state} />
            <PosteriorPanel pointKey={key} hasModel={state.model !== undefined} />
            <ActivityPanel pointKey={key} />
            <HealthPanel pointKey={key} />
            <PromotionsPanel pointKey={key} state={state} />
            <VersionsPanel pointKey={key} inUse={state.model?.version ?? 0} />
          </div>
        </>
      )}
    </Loaded>
  );
}

function StatePanel({ pointKey, state }: { readonly pointKey: string; readonly state: PolicyState }) {
  const [asking, setAsking] = useState(false);
  const { model, pin } = state;
  return (
    <Panel
      title="State"
      note="A version is built from the log, and continued by every outcome within seconds. Decisions name the version that they used."
      actions={
        pin !== undefined && (
          <ActionButton
            needs="define"
            onClick={() => {
              setAsking(true);
            }}
          >
            Use the newest version
          </ActionButton>
        )
      }
    >
      <Figures>
        <Figure label="Version in use" value={model?.version.toString() ?? noFigure} note={model === undefined ? 'all actions are alike until there is one' : undefined} />
        <Figure label="Newest" value={state.newest > 0 ? state.newest.toString() : noFigure} />
        <Figure label="Built" value={model === undefined ? noFigure : <Moment at={model.builtAt} />} />
        <Figure label="Learned last" value={model === undefined ? noFigure : <Moment at={model.updatedAt} />} />
        <Figure label="Decisions" value={count(model?.decisions)} />
        <Figure label="Reward per decision" value={significant(model !== undefined && model.decisions > 0 ? model.reward / model.decisions : undefined)} />
      </Figures>
      {pin !== undefined && (
        <p className="q-panel-note">
          {pin.actor} went back to version {pin.version}: {pin.reason} (<Moment at={pin.pinnedAt} />)
        </p>
      )}
      {asking && (
        <Confirm
          title="Use the newest version?"
          verb="Use it"
          loses={false}
          run={() => releasePolicy(pointKey)}
          refresh={policyKeys(pointKey)}
          onClose={() => {
            setAsking(false);
          }}
        >
          Decisions use version {state.newest} from now on, and every one that is learned after it.
        </Confirm>
      )}
    </Panel>
  );
}

