import { Group, Select } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { dryRunPoint } from '../../api/campaigns';
import { segmentChoicesQuery } from '../../api/segments';
import { ActionButton } from '../../parts/ActionButton';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { DryRunResult } from '../campaigns/DryRunResult';

/** What the decision point would decide about a segment now, without deciding. */
export function PointDryRunPanel({ pointKey }: { readonly pointKey: string }) {
  const [segment, setSegment] = useState<string | null>(null);
  const segments = useQuery(segmentChoicesQuery);
  const run = useMutation({ mutationFn: () => dryRunPoint(pointKey, segment) });
  return (
    <Panel title="Dry run" note="Who would get what now, of a sample of 2,000 people. Nothing is decided, sent or reserved.">
      <div className="q-stack">
        <Group gap="sm" align="end" wrap="wrap">
          <Select
            label="Audience"
            placeholder="Everybody"
            clearable
            searchable
            data={(segments.data?.items ?? []).map(({ key, name }) => ({ value: key, label: name ?? key }))}
            value={segment}
            onChange={setSegment}
            style={{ flex: '1 1 200px' }}
          />
          <ActionButton needs="read" size="sm" variant="default" loading={run.isPending} onClick={() => { run.mutate(); }}>
            Try it
          </ActionButton>
        </Group>
        {run.isError && <ProblemPanel error={run.error} />}
        {run.data !== undefined && <DryRunResult found={run.data} queued="get something" />}
      </div>
    </Panel>
  );
}
