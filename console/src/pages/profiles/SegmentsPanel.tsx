import { Link } from 'react-router';
import type { Profile } from '../../api/types';
import { Panel } from '../../parts/Panel';

/** The segments that a person is in now. */
export function SegmentsPanel({ profile }: { readonly profile: Profile }) {
  const keys = profile.segments;
  return (
    <Panel title="Segments">
      {keys.length === 0 ? (
        <p className="q-muted">In no segment at present.</p>
      ) : (
        <ul className="q-person-segments">
          {keys.map((key) => (
            <li key={key}>
              <Link className="q-link" to={`/segments/${encodeURIComponent(key)}`}>
                {key}
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
