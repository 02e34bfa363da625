import type { Finding } from '../../api/problem';
import type { Webhook, WebhookBody } from '../../api/types';

/** What is in the editor for a new webhook, and what the service has added to one that is saved. */
const addedByService = ['key', 'version', 'createdAt', 'updatedAt', 'updatedBy', '$schema'];

/** The part of a webhook that somebody writes. */
export function bodyOf(webhook: Webhook): WebhookBody {
  const entries = Object.entries(webhook).filter(([name]) => !addedByService.includes(name));
  return Object.fromEntries(entries) as unknown as WebhookBody;
}

export function written(body: WebhookBody): string {
  return JSON.stringify(body, null, 2);
}

/** Reads JSON; a text that is none gives the place where it ends to be so. */
export function readJson(text: string): { readonly value: unknown } | { readonly wrong: string } {
  if (text.trim() === '') return { wrong: 'is empty' };
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const at = /position (\d+)/.exec(message)?.[1];
    if (at === undefined || /line \d+/.test(message)) return { wrong: `is not JSON: ${message}` };
    const line = text.slice(0, Number(at)).split('\n').length;
    return { wrong: `is not JSON: ${message}, line ${line.toString()}` };
  }
}

/** Reads a definition; the service checks all that is in it. */
export function readDefinition(text: string): { readonly value: WebhookBody } | { readonly wrong: string } {
  const read = readJson(text);
  if ('wrong' in read) return read;
  if (typeof read.value !== 'object' || read.value === null || Array.isArray(read.value)) return { wrong: 'must be an object: { … }' };
  return { value: read.value as WebhookBody };
}

/** Findings at the key, and those about the definition. */
export function split(findings: readonly Finding[]): { readonly key: string; readonly rest: readonly Finding[] } {
  const key = findings.filter(({ location }) => location === 'path.key' || location === 'key');
  return { key: key.map(({ message }) => message).join('; '), rest: findings.filter((each) => !key.includes(each)) };
}

const proofs: Readonly<Record<string, string>> = {
  key: 'an API key',
  secret: 'a secret text',
  hmac: 'a signature (HMAC)',
  stripe: 'a signature (Stripe)',
};

/** How callers prove who they are. */
export function proofWords(webhook: Pick<Webhook, 'auth'>): string {
  const words = proofs[webhook.auth?.kind ?? 'key'] ?? '';
  const header = webhook.auth?.header ?? '';
  return header === '' ? words : `${words} in ${header}`;
}

/** A webhook to begin with, and a body that it understands. */
export interface Example {
  readonly title: string;
  readonly key: string;
  readonly body: WebhookBody;
  readonly call: { readonly payload: unknown } | { readonly form: string };
}

export const examples: readonly Example[] = [
  {
    title: 'CRM with a secret',
    key: 'crm',
    body: {
      name: 'CRM',
      auth: { kind: 'secret', header: 'X-Crm-Secret', secret: 'replace-this-secret' },
      messages: [
        {
          when: [{ path: 'event', op: 'equals', value: 'contact.updated' }],
          type: 'identify',
          userId: { from: 'contact.id' },
          timestamp: { from: 'occurredAt' },
          externalIds: { email: { from: 'contact.email', transform: ['trim', 'lower'], optional: true } },
          traits: { name: { from: 'contact.name' }, plan: { from: 'contact.plan', default: 'none' } },
        },
        {
          when: [{ path: 'event', op: 'equals', value: 'deal.won' }],
          type: 'track',
          event: { const: 'Deal Won' },
          userId: { from: 'contact.id' },
          messageId: { from: 'deal.id', prefix: 'deal-' },
          timestamp: { from: 'occurredAt' },
          properties: { revenue: { from: 'deal.amount', type: 'number' } },
        },
      ],
    },
    call: {
      payload: [
        { event: 'contact.updated', occurredAt: '2026-01-03T10:00:00Z', contact: { id: 42, name: 'Anna', email: ' Anna@Example.org ' } },
        { event: 'deal.won', occurredAt: '2026-01-03T10:00:00Z', contact: { id: 42 }, deal: { id: '9', amount: '1200.50' } },
        { event: 'note.added' },
        { event: 'deal.won', occurredAt: '2026-01-03T10:00:00Z', contact: {}, deal: { id: '10', amount: 'x' } },
      ],
    },
  },
  {
    title: 'Tills that sign',
    key: 'tills',
    body: {
      name: 'Tills',
      auth: { kind: 'hmac', header: 'X-Signature-256', secret: 'replace-this-secret', prefix: 'sha256=' },
      items: 'receipts',
      messages: [
        {
          when: [
            { path: 'card', op: 'exists' },
            { path: 'total', op: 'above', value: 0 },
          ],
          type: 'track',
          event: { const: 'Order Completed' },
          externalIds: { card: { from: 'card' } },
          messageId: { from: 'number', prefix: 'receipt-' },
          timestamp: { from: 'time', layout: '02.01.2006 15:04', zone: 'Europe/Moscow' },
          properties: { revenue: { from: 'total', type: 'number' }, first: { from: 'lines[0].sku' }, products: { from: 'lines' } },
        },
      ],
    },
    call: {
      payload: {
        receipts: [
          { number: '1001', card: '2200123', total: 59.9, time: '03.01.2026 10:00', lines: [{ sku: 'boot', n: 1 }] },
          { number: '1002', total: 12, time: '03.01.2026 10:05', lines: [] },
        ],
      },
    },
  },
  {
    title: 'Call centre with a form',
    key: 'calls',
    body: {
      name: 'Call centre',
      auth: { kind: 'secret', header: 'Authorization', secret: 'Basic replace-this-secret' },
      messages: [
        {
          type: 'track',
          event: { const: 'Call Ended' },
          externalIds: { phone: { from: 'caller', transform: ['phone'] } },
          messageId: { from: 'call_id' },
          timestamp: { from: 'ended', layout: 'unix' },
          properties: { seconds: { from: 'duration', type: 'integer' }, answered: { from: 'answered', type: 'boolean' } },
        },
      ],
    },
    call: { form: 'caller=%2B7+912+000-11-22&call_id=c-17&ended=1767434400&duration=185&answered=yes' },
  },
];
