import { IconAlertTriangle, IconRosetteDiscountCheck } from '@tabler/icons-react';
import type { DecisionWhy } from '../../api/types';
import { Panel } from '../../parts/Panel';

/** Whether computing the decision again gives the same, to the last bit. */
export function ReplayVerdict({ replay }: { readonly replay: DecisionWhy['replay'] }) {
  const differences = replay.differences ?? [];
  return (
    <Panel title="Replay">
      <div className={replay.agrees ? 'q-replay q-replay-agrees' : 'q-replay q-replay-differs'}>
        {replay.agrees ? <IconRosetteDiscountCheck size={26} aria-hidden="true" /> : <IconAlertTriangle size={26} aria-hidden="true" />}
        <div>
          <p className="q-replay-title">{replay.agrees ? 'Agrees bit for bit' : 'Does not agree'}</p>
          <p className="q-muted">
            {replay.agrees
              ? 'Computed again from the log with the same versions, the decision came out the same, all probabilities included.'
              : 'Computed again from the log, this came out differently:'}
          </p>
          {differences.length > 0 && (
            <ul>
              {differences.map((difference) => (
                <li key={difference}>{difference}</li>
              ))}
            </ul>
          )}
        </div>
      </div>
    </Panel>
  );
}
