import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconPlus, IconSend } from '@tabler/icons-react';
import { Link } from 'react-router';
import { campaignStateQuery, campaignsQuery } from '../../api/campaigns';
import type { Campaign } from '../../api/types';
import { ActionButton } from '../../parts/ActionButton';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { CalendarPanel } from './CalendarPanel';
import { OutboundStatus } from './OutboundStatus';
import { audienceWords, scheduleWords } from './words';

const columns: readonly Column[] = [{ label: 'Campaign' }, { label: 'Audience', visibleFrom: 'sm' }, { label: 'Schedule', visibleFrom: 'sm' }, { label: 'State' }, { label: 'Next' }];

/** Audiences that are contacted on a schedule. */
export function CampaignsPage() {
  return (
    <>
      <PageHeader
        title="Campaigns"
        note="An audience, a schedule and a decision point: for each person it decides whether, what, where and how."
        actions={
          <ActionButton needs="define" to="/campaigns/new" leftSection={<IconPlus size={14} />}>
            New campaign
          </ActionButton>
        }
      />
      <div className="q-stack">
        <Panel flush>
          <List
            page={campaignsQuery}
            columns={columns}
            minWidth={480}
            empty={{ icon: <IconSend size={20} />, title: 'No campaigns yet', text: 'A campaign goes through an audience once or again and again.' }}
          >
            {(campaigns) => campaigns.map((campaign) => <CampaignRow key={campaign.key} campaign={campaign} />)}
          </List>
        </Panel>
        <CalendarPanel />
      </div>
    </>
  );
}

function CampaignRow({ campaign }: { readonly campaign: Campaign }) {
  const state = useQuery(campaignStateQuery(campaign.key));
  return (
    <Table.Tr>
      <Table.Td>
        <Link className="q-quiet" to={`/campaigns/${encodeURIComponent(campaign.key)}`}>
          <span className="q-list-title">{campaign.name ?? campaign.key}</span>
          <span className="q-list-note q-mono">{campaign.key}</span>
        </Link>
      </Table.Td>
      <Table.Td className="q-muted" visibleFrom="sm">
        {audienceWords(campaign.audience)}
      </Table.Td>
      <Table.Td className="q-muted" visibleFrom="sm">
        {scheduleWords(campaign.schedule)}
      </Table.Td>
      <Table.Td>{state.data === undefined ? <span className="q-faint">…</span> : <OutboundStatus status={state.data.status} />}</Table.Td>
      <Table.Td>
        <Moment at={state.data?.nextAt} />
      </Table.Td>
    </Table.Tr>
  );
}
