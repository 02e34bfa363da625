import { Button } from '@mantine/core';
import { IconAlertTriangle, IconRefresh } from '@tabler/icons-react';
import { asProblem } from '../api/problem';
import './problem-panel.css';

interface ProblemPanelProps {
  readonly error: unknown;
  readonly retry?: () => void;
}

/** A problem document as the reader needs it: what, why, and which fields. */
export function ProblemPanel({ error, retry }: ProblemPanelProps) {
  const problem = asProblem(error);
  return (
    <div className="q-problem" role="alert">
      <IconAlertTriangle className="q-problem-icon" size={18} aria-hidden="true" />
      <div className="q-problem-text">
        <p className="q-problem-title">
          {problem.title}
          {problem.status > 0 && <span className="q-problem-status">{problem.status}</span>}
        </p>
        {problem.detail !== '' && problem.detail !== problem.title && <p className="q-problem-detail">{problem.detail}</p>}
        {problem.findings.length > 0 && (
          <ul className="q-problem-findings">
            {problem.findings.map((finding) => (
              <li key={`${finding.location} ${finding.message}`}>
                {finding.location !== '' && <code>{finding.location}</code>} {finding.message}
              </li>
            ))}
          </ul>
        )}
      </div>
      {retry !== undefined && (
        <Button variant="default" size="xs" leftSection={<IconRefresh size={14} />} onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}
