import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';

export type ChannelDriver = NonNullable<Awaited<ReturnType<typeof readDrivers>>['items']>[number];
export type Delivery = NonNullable<Awaited<ReturnType<typeof readDeliveries>>['items']>[number];

const readDrivers = () => unwrap(client.GET('/v1/channel-drivers'));
const readDeliveries = (before: string) =>
  unwrap(client.GET('/v1/deliveries', { params: { query: { limit: 25, ...(before ? { before } : {}) } } }));

/** What channels are sent by, all on one page. */
export const driversQuery = () => queryOptions({ queryKey: ['channels', 'drivers'], queryFn: readDrivers });

/** One page of messages, newest first. */
export const deliveriesQuery = (before = '') =>
  queryOptions({
    queryKey: ['deliveries', before],
    queryFn: () => readDeliveries(before),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  });

/** Tries the credentials of a channel; nothing is sent. */
export const checkChannel = (key: string) => unwrap(client.POST('/v1/channels/{key}/check', { params: { path: { key } } }));

/** Sends a test message. */
export const testChannel = (key: string, address: string) =>
  unwrap(client.POST('/v1/channels/{key}/test', { params: { path: { key } }, body: { address } }));
