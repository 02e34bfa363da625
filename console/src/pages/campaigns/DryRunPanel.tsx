import { useMutation } from '@tanstack/react-query';
import { dryRunCampaign } from '../../api/campaigns';
import { ActionButton } from '../../parts/ActionButton';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { DryRunResult } from './DryRunResult';

/** What a campaign would do now, without doing it. */
export function DryRunPanel({ campaign }: { readonly campaign: string }) {
  const run = useMutation({ mutationFn: () => dryRunCampaign(campaign, 0.02) });
  const found = run.data;
  return (
    <Panel
      title="Dry run"
      note="Who would get what now. Nothing is decided, sent or reserved."
      actions={
        <ActionButton needs="read" variant="default" loading={run.isPending} onClick={() => { run.mutate(); }}>
          Try it
        </ActionButton>
      }
    >
      {run.isError && <ProblemPanel error={run.error} />}
      {found !== undefined && <DryRunResult found={found} />}
    </Panel>
  );
}
