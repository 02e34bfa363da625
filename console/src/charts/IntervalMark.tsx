import type { Interval, Scale, Verdict } from './scale';
import './interval.css';

interface IntervalMarkProps {
  readonly interval: Interval;
  readonly scale: Scale;
  readonly verdict: Verdict;
  /** The interval in words and figures. */
  readonly label: string;
}

function at(percentage: number): { left: string } {
  return { left: `${percentage.toFixed(3)}%` };
}

/** One interval on a common axis: the bar is the 95% interval, the tick the estimate, the line zero. */
export function IntervalMark({ interval, scale, verdict, label }: IntervalMarkProps) {
  const from = scale.position(interval.lower);
  const to = scale.position(interval.upper);
  // A bound outside of the axis has no rounded end: the bar leaves the picture.
  const open = `${interval.lower < scale.from ? ' q-interval-open-left' : ''}${interval.upper > scale.to ? ' q-interval-open-right' : ''}`;
  return (
    <div className={`q-interval q-interval-${verdict}`} role="img" aria-label={label} title={label}>
      <Gridlines scale={scale} />
      <span className={`q-interval-bar${open}`} style={{ ...at(from), width: `${(to - from).toFixed(3)}%` }} />
      <span className="q-interval-estimate" style={at(scale.position(interval.estimate))} />
    </div>
  );
}

function Gridlines({ scale }: { readonly scale: Scale }) {
  return scale.ticks.map((tick) => (
    <span key={tick} className={tick === 0 ? 'q-interval-zero' : 'q-interval-grid'} style={at(scale.position(tick))} />
  ));
}

interface IntervalAxisProps {
  readonly scale: Scale;
  readonly format: (value: number) => string;
}

/** The figures under the marks. */
export function IntervalAxis({ scale, format }: IntervalAxisProps) {
  return (
    <div className="q-interval-axis" aria-hidden="true">
      {scale.ticks.map((tick) => (
        <span key={tick} className={tick === 0 ? 'q-interval-tick q-interval-tick-zero' : 'q-interval-tick'} style={at(scale.position(tick))}>
          {format(tick)}
        </span>
      ))}
    </div>
  );
}
