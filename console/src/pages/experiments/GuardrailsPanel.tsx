import type { GuardrailReport, Report } from '../../api/types';
import { percent } from '../../format/number';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { guardrailState } from './words';
import './result.css';

const actions: Readonly<Record<string, string>> = { warn: 'warns', stop: 'stops the experiment', rollback: 'takes the arm out' };

/** Each guardrail in each arm: how much worse it can be, beside how much is borne. */
export function GuardrailsPanel({ report }: { readonly report: Report }) {
  const guardrails = report.guardrails ?? [];
  if (guardrails.length === 0) return null;
  const names = new Map((report.metrics ?? []).map((metric) => [metric.key, metric.name ?? metric.key]));
  const scale = marginScale(guardrails);
  return (
    <Panel title="Guardrails" note="The bar is the change for the better that is possible, always valid; the dashed line is the loss that is borne. A guardrail holds once the bar is right of that line.">
      {guardrails.map((guardrail) => (
        <Row key={`${guardrail.metric} ${guardrail.variant}`} guardrail={guardrail} name={names.get(guardrail.metric) ?? guardrail.metric} scale={scale} />
      ))}
    </Panel>
  );
}

interface RowProps {
  readonly guardrail: GuardrailReport;
  readonly name: string;
  readonly scale: (value: number) => number;
}

function Row({ guardrail, name, scale }: RowProps) {
  const { word, tone } = guardrailState(guardrail.state);
  const { worst, best, margin } = guardrail;
  return (
    <div className="q-guardrail">
      <span>
        <b>{name}</b> <span className="q-muted">{guardrail.variant}</span>
      </span>
      <span>
        <Tag tone={tone}>{word}</Tag>
      </span>
      {worst !== undefined && best !== undefined ? (
        <span className="q-margin-plot" role="img" aria-label={`Between ${percent(worst, 1)} and ${percent(best, 1)}; a loss of ${percent(margin, 1)} is borne`} title={`${percent(worst, 1)} to ${percent(best, 1)}`}>
          <span className="q-margin-zero" style={{ left: `${scale(0).toFixed(2)}%` }} />
          <span className="q-margin-floor" style={{ left: `${scale(-margin).toFixed(2)}%` }} />
          <span className={`q-margin-bar q-margin-${guardrail.state}`} style={{ left: `${scale(worst).toFixed(2)}%`, width: `${Math.max(0, scale(best) - scale(worst)).toFixed(2)}%` }} />
        </span>
      ) : (
        <span className="q-margin-plot" />
      )}
      <span className="q-guardrail-text">
        {guardrail.detail} Once broken it {actions[guardrail.action] ?? guardrail.action}.
      </span>
    </div>
  );
}

/** One scale for all guardrails, in percent of the width; nothing beyond four margins either way squeezes the rest. */
export function marginScale(guardrails: readonly GuardrailReport[]): (value: number) => number {
  const margins = guardrails.map(({ margin }) => margin);
  const limit = Math.max(0.05, ...margins) * 4;
  const values = guardrails.flatMap(({ worst, best, margin }) => [worst ?? 0, best ?? 0, -margin, 0]).map((value) => Math.min(limit, Math.max(-limit, value)));
  const from = Math.min(...values) * 1.08 - 0.002;
  const to = Math.max(...values) * 1.08 + 0.002;
  return (value) => Math.min(100, Math.max(0, ((value - from) / (to - from)) * 100));
}
