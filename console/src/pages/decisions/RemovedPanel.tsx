import type { DecisionRecord } from '../../api/types';
import { ActionName } from '../../parts/ActionName';
import { Panel } from '../../parts/Panel';

/** Actions that a rule took out before any probability was computed, by rule. */
export function RemovedPanel({ record }: { readonly record: DecisionRecord }) {
  const removed = record.removed ?? [];
  const byRule = new Map<string, string[]>();
  for (const { action, rule } of removed) byRule.set(rule, [...(byRule.get(rule) ?? []), action]);
  return (
    <Panel title="Removed by rules" note={removed.length === 0 ? 'No rule took an action out.' : `${removed.length.toString()} actions could not be taken.`}>
      {[...byRule].map(([rule, actions]) => (
        <details key={rule} open={actions.length <= 6}>
          <summary>
            <strong>{rule}</strong> <span className="q-muted">{actions.length}</span>
          </summary>
          {actions.map((action) => (
            <div key={action} style={{ padding: '2px 0 2px 16px' }}>
              <ActionName action={action} />
            </div>
          ))}
        </details>
      ))}
    </Panel>
  );
}
