import { Tag, type Tone } from './Tag';

const tones: Readonly<Record<string, Tone>> = { running: 'better', draft: 'quiet', review: 'accent', stopped: 'neutral', archived: 'quiet' };

/** The state of an experiment. */
export function Status({ status = 'draft' }: { readonly status: string | undefined }) {
  return <Tag tone={tones[status] ?? 'neutral'}>{status}</Tag>;
}
