import type { Delivery } from '../../api/channels';

export type Step = NonNullable<Delivery['steps']>[number];

/** A place of a message's plan: a channel, what was done there, and what is waited for before the next. */
export interface Place {
  readonly channel: string;
  readonly step?: Step;
  readonly waits: string;
}

const receipts: Readonly<Record<string, string>> = { delivered: 'delivered', opened: 'opened', clicked: 'clicked', replied: 'replied to' };

/** The channels of a message in order: those that were tried, and those of its cascade that were not. */
export function planOf({ steps, cascade }: Pick<Delivery, 'steps' | 'cascade'>): Place[] {
  const tried = steps ?? [];
  if (!cascade || cascade.length === 0) return tried.map((step) => ({ channel: step.channel, step, waits: '' }));
  return cascade.map(({ channel, wait, until }, place) => {
    const step = tried.find((one) => one.step === place);
    const waits = wait ? `The next channel follows if it is not ${receipts[until ?? 'opened'] ?? 'opened'} within ${wait}, and at once if it fails.` : '';
    return { channel: step?.channel ?? channel, ...(step ? { step } : {}), waits };
  });
}

/** What became of a step, in the order in which it happened. */
export function answersOf(step: Step): { word: string; at: string }[] {
  const all: [string, string | undefined][] = [
    ['Sent', step.sentAt],
    ['Delivered', step.deliveredAt],
    ['Opened by a machine', step.machineAt],
    ['Opened', step.openedAt],
    ['Clicked', step.clickedAt],
    ['Replied', step.repliedAt],
    ['Bounced', step.bouncedAt],
    ['Complained', step.complainedAt],
  ];
  if (step.failedAt && step.failedAt !== step.bouncedAt && step.failedAt !== step.complainedAt) all.push(['Failed', step.failedAt]);
  const waiting = step.state === 'queued' || step.state === 'claimed';
  if (waiting) all.push(['Due', step.dueAt]);
  return all
    .flatMap(([word, at]) => (at ? [{ word, at }] : []))
    .sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** How often a step was tried, where that says something. */
export const attemptsNote = (attempts: number): string => (attempts > 1 ? `${attempts.toString()} attempts` : '');
