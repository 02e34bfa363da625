import type { ChannelDriver, Delivery } from '../../api/channels';
import type { Tone } from '../../parts/Tag';

const names: Readonly<Record<string, string>> = {
  smtp: 'E-mail (SMTP)',
  smpp: 'SMS (SMPP 3.4)',
  webhook: 'Webhook',
  webpush: 'Web push',
  fcm: 'Mobile push (FCM)',
  telegram: 'Telegram',
  cascade: 'Cascade',
};

/** What a driver is, in words. */
export const driverName = (driver: string): string => names[driver] ?? driver;

/** Where a driver sends: a server, an address, or the channels of a cascade. */
export function destination({ config }: Pick<ChannelDriver, 'config'>): string {
  if (config.cascade) return (config.cascade.steps ?? []).map(({ channel, wait }) => (wait ? `${channel}, wait ${wait}` : channel)).join(', else ');
  if (config.smtp) return `${config.smtp.host}:${config.smtp.port.toString()}`;
  if (config.smpp) return config.smpp.address;
  if (config.webhook) return config.webhook.url;
  if (config.fcm) return config.fcm.projectId;
  return '';
}

const tones: Readonly<Record<Delivery['state'], Tone>> = { queued: 'neutral', claimed: 'neutral', sending: 'neutral', sent: 'better', skipped: 'quiet', failed: 'worse', uncertain: 'warning' } as Readonly<Record<Delivery['state'], Tone>>;

/** The colour of a state. */
export const stateTone = (state: Delivery['state']): Tone => tones[state];
