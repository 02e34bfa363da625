import type { ReactNode } from 'react';
import './panel.css';

interface PanelProps {
  readonly title?: ReactNode;
  readonly note?: ReactNode;
  readonly actions?: ReactNode;
  /** Without padding, for tables that reach the edges. */
  readonly flush?: boolean;
  readonly children: ReactNode;
}

/** A titled surface: the unit that every page is made of. */
export function Panel({ title, note, actions, flush = false, children }: PanelProps) {
  return (
    <section className="q-panel">
      {title !== undefined && (
        <header className="q-panel-head">
          <div className="q-panel-titles">
            <h2 className="q-panel-title">{title}</h2>
            {note !== undefined && <p className="q-panel-note">{note}</p>}
          </div>
          {actions !== undefined && <div className="q-panel-actions">{actions}</div>}
        </header>
      )}
      <div className={flush ? 'q-panel-flush' : 'q-panel-body'}>{children}</div>
    </section>
  );
}
