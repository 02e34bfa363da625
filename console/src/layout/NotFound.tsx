import { IconMapPinOff } from '@tabler/icons-react';
import { Link } from 'react-router';
import { EmptyState } from '../parts/EmptyState';
import { Panel } from '../parts/Panel';

export function NotFound() {
  return (
    <Panel>
      <EmptyState icon={<IconMapPinOff size={20} />} title="There is no page here">
        <Link className="q-link" to="/">
          Back to the overview
        </Link>
      </EmptyState>
    </Panel>
  );
}
