import type { DecisionRecord } from '../../api/types';
import { significant } from '../../format/number';
import { Panel } from '../../parts/Panel';
import { Terms } from '../../parts/Terms';
import { scalarText } from '../../parts/scalar';

function entriesOf(values: unknown): (readonly [string, string])[] {
  if (typeof values !== 'object' || values === null) return [];
  return Object.entries(values)
    .map(([name, value]) => [name, scalarText(value)] as const)
    .sort(([a], [b]) => a.localeCompare(b));
}

/** All that the decision knew: the moment, the person, and the numbers made of them. */
export function InputsPanel({ record }: { readonly record: DecisionRecord }) {
  const features = record.features ?? [];
  const context = entriesOf(record.context);
  const traits = entriesOf(record.traits);
  return (
    <Panel title="What it knew" note="Context of the request, traits that were read, and the features that the model saw.">
      <h3 className="q-subtitle">Context</h3>
      {context.length === 0 ? <span className="q-muted">none was sent</span> : <Terms entries={context} />}
      <h3 className="q-subtitle">Traits</h3>
      {traits.length === 0 ? <span className="q-muted">none were read</span> : <Terms entries={traits} />}
      <h3 className="q-subtitle">Features</h3>
      {features.length === 0 && <span className="q-muted">none were used</span>}
      {features.map((feature) => (
        <div key={feature.name} className="q-feature">
          <span className="q-mono">{feature.name}</span>
          <span className="q-number">{significant(feature.value)}</span>
        </div>
      ))}
    </Panel>
  );
}
