import { useEffect, type ReactNode } from 'react';
import { Link } from 'react-router';
import './page-header.css';

interface PageHeaderProps {
  readonly title: string;
  readonly shown?: ReactNode;
  readonly parent?: { readonly to: string; readonly label: string };
  readonly badges?: ReactNode;
  readonly note?: ReactNode;
  readonly actions?: ReactNode;
}

/** The heading of a page; it names the browser's tab as well. */
export function PageHeader({ title, shown, parent, badges, note, actions }: PageHeaderProps) {
  useEffect(() => {
    document.title = `${title} · Quintet`;
  }, [title]);
  return (
    <header className="q-page-head">
      <div className="q-page-titles">
        {parent !== undefined && (
          <nav aria-label="Breadcrumb" className="q-page-parent">
            <Link className="q-quiet" to={parent.to}>
              {parent.label}
            </Link>
            <span aria-hidden="true"> / </span>
          </nav>
        )}
        <div className="q-page-line">
          <h1 className="q-page-title">{shown ?? title}</h1>
          {badges}
        </div>
        {note !== undefined && <p className="q-page-note">{note}</p>}
      </div>
      {actions !== undefined && <div className="q-page-actions">{actions}</div>}
    </header>
  );
}
