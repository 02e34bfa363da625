import type { ReactNode } from 'react';
import './empty-state.css';

interface EmptyStateProps {
  readonly icon: ReactNode;
  readonly title: string;
  readonly children?: ReactNode;
}

/** What a place without content says: what would be here, and how it gets here. */
export function EmptyState({ icon, title, children }: EmptyStateProps) {
  return (
    <div className="q-empty">
      <div className="q-empty-icon" aria-hidden="true">
        {icon}
      </div>
      <p className="q-empty-title">{title}</p>
      {children !== undefined && <div className="q-empty-text">{children}</div>}
    </div>
  );
}
