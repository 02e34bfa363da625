import { Progress, Table } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconPencil, IconSend } from '@tabler/icons-react';
import { Link, useParams } from 'react-router';
import { campaignMessagesQuery, campaignQuery, campaignRunsQuery, campaignStateQuery, campaignVersionsQuery, moveCampaign, saveCampaign, testCampaign, type Move } from '../../api/campaigns';
import type { Campaign, CampaignRun } from '../../api/types';
import { count } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { EmptyState } from '../../parts/EmptyState';
import { List, type Column } from '../../parts/List';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock, SkeletonRows } from '../../parts/Skeletons';
import { DryRunPanel } from './DryRunPanel';
import { MoveButtons } from './MoveButtons';
import { OutboundStatus } from './OutboundStatus';
import { TestPanel } from './TestPanel';
import { VersionsPanel } from './VersionsPanel';
import { audienceWords, outcomeWords, scheduleWords } from './words';

/** One campaign: how far it is, what it would do, and its messages. */
export function CampaignPage() {
  const { key = '' } = useParams();
  const query = useQuery(campaignQuery(key));
  return <Loaded query={query} skeleton={<SkeletonBlock height={480} />}>{({ campaign, etag }) => <Shown campaign={campaign} etag={etag} />}</Loaded>;
}

function Shown({ campaign, etag }: { readonly campaign: Campaign; readonly etag: string }) {
  const { key } = campaign;
  const state = useQuery(campaignStateQuery(key));
  const versions = useQuery(campaignVersionsQuery(key));
  const queries = useQueryClient();
  const move = useMutation({
    mutationFn: (to: Move) => moveCampaign(key, to),
    onSettled: () => queries.invalidateQueries({ queryKey: ['campaigns'] }),
  });
  return (
    <>
      <PageHeader
        parent={{ to: '/campaigns', label: 'Campaigns' }}
        title={campaign.name ?? key}
        badges={<OutboundStatus status={state.data?.status} />}
        note={
          <>
            <span className="q-mono">{key}</span> · {audienceWords(campaign.audience)} · {scheduleWords(campaign.schedule)}
            {campaign.localTime === undefined ? '' : ` · sent at ${campaign.localTime} of each person`} · decided by{' '}
            <Link className="q-link" to={`/decision-points/${encodeURIComponent(campaign.decisionPoint)}`}>
              {campaign.decisionPoint}
            </Link>{' '}
            · {campaign.consent.basis}
            {campaign.consent.purpose === undefined ? '' : ` for ${campaign.consent.purpose}`}
          </>
        }
        actions={
          <>
            <ActionButton needs="define" variant="default" to={`/campaigns/${encodeURIComponent(key)}/edit`} leftSection={<IconPencil size={14} />}>
              Edit
            </ActionButton>
            <MoveButtons status={state.data?.status} busy={move.isPending} onMove={move.mutate} />
          </>
        }
      />
      {move.isError && <ProblemPanel error={move.error} />}
      <div className="q-columns">
        <div className="q-stack">
          <RunsPanel campaign={key} />
          <MessagesPanel campaign={key} />
        </div>
        <div className="q-stack">
          <DryRunPanel campaign={key} />
          <TestPanel send={(person) => testCampaign(key, person)} />
          <VersionsPanel
            versions={versions}
            current={campaign.version}
            note="Newest first. Going back makes a new version, which holds from its next occurrence on."
            save={(body) => saveCampaign(key, body, etag)}
            changes={['campaigns']}
          />
        </div>
      </div>
    </>
  );
}

function RunsPanel({ campaign }: { readonly campaign: string }) {
  const runs = useQuery(campaignRunsQuery(campaign));
  return (
    <Panel title="Progress" note="Each time that it went through its audience, newest first.">
      <Loaded query={runs} skeleton={<SkeletonRows rows={4} />}>
        {(data) =>
          data.items.length === 0 ? (
            <EmptyState icon={<IconSend size={20} />} title="It has not been due yet">
              Its audience is written down when it is due.
            </EmptyState>
          ) : (
            <div className="q-stack">
              {data.items.map((run) => (
                <Run key={run.id} run={run} />
              ))}
            </div>
          )
        }
      </Loaded>
    </Panel>
  );
}

function Run({ run }: { readonly run: CampaignRun }) {
  const counts = Object.entries(run.counts);
  const decided = counts.reduce((sum, [, n]) => sum + n, 0);
  return (
    <div>
      <p>
        <Moment at={run.at} /> <OutboundStatus status={run.status} />{' '}
        <span className="q-muted">
          {count(decided)} of {count(run.audience)} people · contacts cost {run.cost.toFixed(2)}
        </span>
      </p>
      <Progress value={run.audience === 0 ? 100 : (100 * decided) / run.audience} aria-label="Share of the audience that was decided about" />
      <p className="q-muted">{counts.map(([outcome, n]) => `${count(n)} ${outcomeWords[outcome] ?? outcome}`).join(' · ')}</p>
    </div>
  );
}

const columns: readonly Column[] = [{ label: 'Person' }, { label: 'What' }, { label: 'Where' }, { label: 'When' }, { label: 'Why' }];

function MessagesPanel({ campaign }: { readonly campaign: string }) {
  return (
    <Panel title="Messages" flush>
      <List
        page={(before) => campaignMessagesQuery(campaign, before)}
        columns={columns}
        minWidth={480}
        empty={{ icon: <IconSend size={20} />, title: 'No messages yet' }}
      >
        {(messages) =>
          messages.map((message) => (
            <Table.Tr key={message.key}>
              <Table.Td>
                <Link className="q-link q-mono" to={`/profiles/${encodeURIComponent(message.person)}`}>
                  {message.person.slice(0, 8)}
                </Link>
                {message.test === true && <span className="q-muted"> test</span>}
              </Table.Td>
              <Table.Td>
                {message.offer}
                <span className="q-list-note">{message.creative}</span>
              </Table.Td>
              <Table.Td>{message.channel}</Table.Td>
              <Table.Td>
                <Moment at={message.sendAt} />
                <span className="q-list-note">{message.handedAt === undefined ? 'waits for delivery' : 'with delivery'}</span>
              </Table.Td>
              <Table.Td>
                <Link className="q-link" to={`/decisions/${encodeURIComponent(message.decisionId)}`}>
                  decision
                </Link>
              </Table.Td>
            </Table.Tr>
          ))
        }
      </List>
    </Panel>
  );
}
