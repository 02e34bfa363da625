import { ago, dayAndSecond, dayAndTime, exact, isMoment, timeOfDay } from '../format/time';
import { noFigure } from '../format/number';

interface MomentProps {
  readonly at: string | undefined | null;
  readonly as?: 'ago' | 'day' | 'second' | 'clock';
  /** What "now" is, so that many of them on a page agree and tick together. */
  readonly now?: number;
}

function written(at: string, as: MomentProps['as'], now: number | undefined): string {
  switch (as) {
    case 'ago':
      return ago(at, now);
    case 'clock':
      return timeOfDay(at);
    case 'second':
      return dayAndSecond(at);
    default:
      return dayAndTime(at);
  }
}

/** A moment in the reader's time zone; hovering shows it in UTC. */
export function Moment({ at, as = 'day', now }: MomentProps) {
  if (!isMoment(at)) return <span className="q-faint">{noFigure}</span>;
  return (
    <time dateTime={at} title={exact(at)} style={{ whiteSpace: 'nowrap' }}>
      {written(at, as, now)}
    </time>
  );
}
