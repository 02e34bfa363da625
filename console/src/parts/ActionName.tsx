import { Fragment } from 'react';
import './action-name.css';

/** An action: offer, channel and creative, or nothing at all. */
export function ActionName({ action }: { readonly action: string }) {
  if (action === '') return <span className="q-faint">no action</span>;
  const parts = action.split('/');
  if (parts.length === 1) return <span className="q-action q-action-none">{action}</span>;
  return (
    <span className="q-action" title={action}>
      {parts.map((part, index) => (
        <Fragment key={index}>
          {index > 0 && <span className="q-action-slash">/</span>}
          <span className={index === 0 ? 'q-action-what' : 'q-action-rest'}>{part}</span>
        </Fragment>
      ))}
    </span>
  );
}
