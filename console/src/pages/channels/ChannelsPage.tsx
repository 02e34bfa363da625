import { Button, Table } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconMailbox, IconPlugConnected } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { checkChannel, deliveriesQuery, driversQuery, type ChannelDriver, type Delivery } from '../../api/channels';
import { ActionButton } from '../../parts/ActionButton';
import { Allowed } from '../../parts/Allowed';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { CascadeView } from './CascadeView';
import { destination, driverName, stateTone } from './words';

const driverColumns: readonly Column[] = [
  { label: 'Channel' },
  { label: 'Sent by' },
  { label: 'Secrets stored' },
  { label: 'Changed' },
  { label: 'Credentials', silent: true },
];

const deliveryColumns: readonly Column[] = [{ label: 'Message' }, { label: 'Channels' }, { label: 'State' }, { label: 'Changed' }, { label: 'Answers', silent: true }];

/** What channels are sent by, with a check of their credentials, and what was sent last. */
export function ChannelsPage() {
  return (
    <>
      <PageHeader title="Channels" note="What messages leave by, and what became of them. Drivers and templates are set by the API." />
      <Allowed needs="admin">
        <Panel title="Drivers" flush>
          <List
            page={driversQuery}
            columns={driverColumns}
            rows={3}
            empty={{ icon: <IconPlugConnected size={20} />, title: 'No drivers yet', text: 'PUT /v1/channels/{key}/driver says what a channel is sent by. Without one, messages are skipped.' }}
          >
            {(drivers) => drivers.map((driver) => <DriverRow key={driver.channel} driver={driver} />)}
          </List>
        </Panel>
      </Allowed>
      <Panel title="Messages" flush>
        <List
          page={deliveriesQuery}
          columns={deliveryColumns}
          rows={6}
          empty={{ icon: <IconMailbox size={20} />, title: 'No messages yet', text: 'Campaigns and scenarios send them.' }}
        >
          {(deliveries) => deliveries.map((delivery) => <DeliveryRow key={delivery.id} delivery={delivery} />)}
        </List>
      </Panel>
    </>
  );
}

function DriverRow({ driver }: { readonly driver: ChannelDriver }) {
  const check = useMutation({ mutationFn: () => checkChannel(driver.channel) });
  return (
    <Table.Tr>
      <Table.Td>{driver.channel}</Table.Td>
      <Table.Td>
        {driverName(driver.config.driver)}
        <span className="q-list-note q-mono">{destination(driver)}</span>
      </Table.Td>
      <Table.Td>
        {(driver.secretsSet ?? []).map((name) => (
          <Tag key={name}>{name}</Tag>
        ))}
      </Table.Td>
      <Table.Td>
        <Moment at={driver.updatedAt} />
        <span className="q-list-note">by {driver.updatedBy}</span>
      </Table.Td>
      <Table.Td ta="right" aria-live="polite">
        {check.data && <Tag tone={check.data.ok ? 'better' : 'worse'}>{check.data.ok ? 'accepted' : (check.data.detail ?? 'refused')}</Tag>}
        {check.error && <Tag tone="worse">{check.error.message}</Tag>}
        {driver.config.driver !== 'cascade' && (
          <ActionButton
            needs="admin"
            size="compact-xs"
            variant="default"
            loading={check.isPending}
            onClick={() => {
              check.mutate();
            }}
          >
            Check<span className="q-hidden-label"> {driver.channel}</span>
          </ActionButton>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function DeliveryRow({ delivery }: { readonly delivery: Delivery }) {
  const [opened, { toggle }] = useDisclosure(false);
  const id = `cascade-${delivery.id}`;
  return (
    <>
      <Table.Tr>
        <Table.Td>
          {delivery.message.offer}
          <span className="q-list-note q-mono">{delivery.message.originKey}</span>
        </Table.Td>
        <Table.Td>
          {(delivery.steps ?? []).map((step) => (
            <Tag key={step.step} tone={stateTone(step.state as Delivery['state'])} title={step.reason ?? ''}>
              {step.channel}
            </Tag>
          ))}
        </Table.Td>
        <Table.Td>
          <Tag tone={stateTone(delivery.state)}>{delivery.state}</Tag>
          <span className="q-list-note">{delivery.reason}</span>
        </Table.Td>
        <Table.Td>
          <Moment at={delivery.updatedAt} />
        </Table.Td>
        <Table.Td ta="right">
          <Button size="compact-xs" variant="default" aria-expanded={opened} aria-controls={id} onClick={toggle}>
            {opened ? 'Hide' : 'Answers'}
            <span className="q-hidden-label"> of {delivery.message.offer}</span>
          </Button>
        </Table.Td>
      </Table.Tr>
      {opened && (
        <Table.Tr id={id}>
          <Table.Td colSpan={deliveryColumns.length}>
            <CascadeView delivery={delivery} />
          </Table.Td>
        </Table.Tr>
      )}
    </>
  );
}
