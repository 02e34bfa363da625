import { IconAlertTriangle, IconCircleCheck, IconCircleDashed } from '@tabler/icons-react';
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
        <div key={check.name} className={`q-check q-check-${stateOf(check)}`}>
          <span className="q-check-icon" aria-hidden="true">
            {stateOf(check) === 'passed' ? <IconCircleCheck size={17} /> : stateOf(check) === 'unmade' ? <IconCircleDashed size={17} /> : <IconAlertTriangle size={17} />}
          </span>
          <span className="q-check-title">{checkTitle(check)}</span>
          <span>
            {stateOf(check) === 'failed' ? <strong>failed</strong> : stateOf(check) === 'warned' ? <strong>look at this</strong> : stateOf(check) === 'unmade' ? 'not made' : 'passed'}
            {check.pValue !== undefined && <span className="q-muted"> · p {pValue(check.pValue)}</span>}
          </span>
          <p className="q-check-text">{check.detail || checkMeaning(check)}</p>
        </div>
      ))}
    </Panel>
  );
}

/** What a check came to: a warning does not forbid to read the figures, and one that could not be made says nothing. */
function stateOf(check: Check): 'passed' | 'failed' | 'warned' | 'unmade' {
  if (!check.passed) return 'failed';
  if (check.warning === true) return 'warned';
  return check.made ? 'passed' : 'unmade';
}
