import type { DecisionRecord } from '../../api/types';
import { probability } from '../../format/number';
import { cumulative } from './distribution';

/** The draw on the cumulative distribution: where the mark stands is what was chosen. */
export function DrawStrip({ record }: { readonly record: DecisionRecord }) {
  const stretches = cumulative(record.candidates ?? []);
  const position = Math.min(1, Math.max(0, record.draw)) * 100;
  const side = position > 50 ? { right: `${(100 - position).toFixed(3)}%` } : { left: `${position.toFixed(3)}%` };
  return (
    <div className="q-draw" role="img" aria-label={`The draw ${record.draw.toFixed(6)} falls on ${record.action}`}>
      <div className="q-draw-line">
        {stretches.map(({ action, from, to }) => (
          <span
            key={action}
            className={action === record.action ? 'q-draw-stretch q-draw-chosen' : 'q-draw-stretch'}
            style={{ width: `${((to - from) * 100).toFixed(4)}%` }}
            title={`${action}: ${probability(from)} to ${probability(to)}`}
          />
        ))}
      </div>
      <span className="q-draw-mark" style={{ left: `${position.toFixed(3)}%` }} />
      <span className="q-draw-figure" style={side}>
        draw {record.draw.toFixed(6)}
      </span>
      <div className="q-draw-ends">
        <span>0</span>
        <span>1</span>
      </div>
    </div>
  );
}
