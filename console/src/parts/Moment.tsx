import { ago, dayAndTime, exact, isMoment, timeOfDay } from '../format/time';
import { noFigure } from '../format/number';

interface MomentProps {
  readonly at: string | undefined | null;
  readonly as?: 'ago' | 'day' | 'clock';
  /** What "now" is, so that many of them on a page agree and tick together. */
  readonly now?: number;
}

/** A moment in the reader's time zone; hovering shows it in UTC. */
export function Moment({ at, as = 'day', now }: MomentProps) {
  if (!isMoment(at)) return <span className="q-faint">{noFigure}</span>;
  const shown = as === 'ago' ? ago(at, now) : as === 'clock' ? timeOfDay(at) : dayAndTime(at);
  return (
    <time dateTime={at} title={exact(at)} style={{ whiteSpace: 'nowrap' }}>
      {shown}
    </time>
  );
}
