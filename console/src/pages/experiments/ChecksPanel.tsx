import { IconAlertTriangle, IconCircleCheck } from '@tabler/icons-react';
import type { Check } from '../../api/types';
import { pValue } from '../../format/number';
import { Panel } from '../../parts/Panel';
import { checkMeaning, checkTitle } from './checks';
import './checks.css';

export function ChecksPanel({ checks }: { readonly checks: readonly Check[] }) {
  return (
    <Panel title="Checks" note="Whether the figures below may be read at all.">
      {checks.length === 0 && <span className="q-muted">The report came without checks.</span>}
      {checks.map((check) => (
        <div key={check.name} className={check.passed ? 'q-check q-check-passed' : 'q-check q-check-failed'}>
          <span className="q-check-icon" aria-hidden="true">
            {check.passed ? <IconCircleCheck size={17} /> : <IconAlertTriangle size={17} />}
          </span>
          <span className="q-check-title">{checkTitle(check)}</span>
          <span>
            {check.passed ? 'passed' : <strong>failed</strong>}
            {check.pValue !== undefined && <span className="q-muted"> · p {pValue(check.pValue)}</span>}
          </span>
          <p className="q-check-text">{check.detail || checkMeaning(check)}</p>
        </div>
      ))}
    </Panel>
  );
}
