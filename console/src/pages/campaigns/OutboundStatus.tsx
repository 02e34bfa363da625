import { Tag, type Tone } from '../../parts/Tag';

const tones: Readonly<Record<string, Tone>> = { running: 'better', draft: 'quiet', paused: 'warning', stopped: 'neutral', done: 'neutral' };

/** Whether a campaign or a scenario acts. */
export function OutboundStatus({ status = 'draft' }: { readonly status: string | undefined }) {
  return <Tag tone={tones[status] ?? 'neutral'}>{status}</Tag>;
}
