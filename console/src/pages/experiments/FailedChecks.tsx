import { IconAlertTriangle } from '@tabler/icons-react';
import type { Check } from '../../api/types';
import { pValue } from '../../format/number';
import { checkMeaning, checkTitle } from './checks';
import './checks.css';

interface FailedChecksProps {
  readonly checks: readonly Check[];
  readonly inset?: boolean;
}

/** Stands above any figure when the data behind the figures cannot be trusted. */
export function FailedChecks({ checks, inset = false }: FailedChecksProps) {
  const failed = checks.filter((check) => !check.passed);
  if (failed.length === 0) return null;
  return (
    <div className={inset ? 'q-failed q-failed-inset' : 'q-failed'} role="alert">
      <IconAlertTriangle size={20} aria-hidden="true" />
      <div>
        <p className="q-failed-title">Do not act on these figures: {failed.map((check) => checkTitle(check).toLowerCase()).join(' and ')} failed</p>
        {failed.map((check) => (
          <p key={check.name} className="q-failed-text">
            {check.detail || checkMeaning(check)}
            {check.pValue !== undefined && ` (p ${pValue(check.pValue)})`}
          </p>
        ))}
      </div>
    </div>
  );
}
