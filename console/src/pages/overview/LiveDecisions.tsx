import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconActivity, IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react';
import { useState } from 'react';
import { liveDecisionsQuery } from '../../api/decisions';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Panel } from '../../parts/Panel';
import { SkeletonRows } from '../../parts/Skeletons';
import { DecisionTable } from '../decisions/DecisionTable';

const rows = 25;

/** Decisions as they are made, newest first. */
export function LiveDecisions() {
  const [live, setLive] = useState(true);
  const query = useQuery(liveDecisionsQuery(rows, live));
  return (
    <Panel
      title={
        <span className={live && !query.isError ? 'q-live q-live-on' : 'q-live'}>
          <span className="q-live-dot" aria-hidden="true" />
          Live decisions
        </span>
      }
      note={live ? 'The latest, every two seconds. Open one to see why it was made.' : 'Paused.'}
      flush
      actions={
        <Button
          size="xs"
          variant="default"
          leftSection={live ? <IconPlayerPause size={14} /> : <IconPlayerPlay size={14} />}
          onClick={() => {
            setLive(!live);
          }}
        >
          {live ? 'Pause' : 'Resume'}
        </Button>
      }
    >
      <Loaded query={query} skeleton={<SkeletonRows rows={10} />}>
        {(data) =>
          (data.items ?? []).length === 0 ? (
            <EmptyState icon={<IconActivity size={20} />} title="No decisions yet">
              The first <code>POST /v1/decide</code> shows up here within two seconds.
            </EmptyState>
          ) : (
            <DecisionTable decisions={data.items ?? []} arrivals />
          )
        }
      </Loaded>
    </Panel>
  );
}
