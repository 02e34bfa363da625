import { IconLock } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { useWhyNot, type Scope } from '../api/may';
import { EmptyState } from './EmptyState';
import { Panel } from './Panel';

interface AllowedProps {
  readonly needs: Scope;
  readonly children: ReactNode;
}

/** A page or a part of one that only some may see; the others read why they do not. */
export function Allowed({ needs, children }: AllowedProps) {
  const why = useWhyNot(needs);
  if (why === '') return children;
  return (
    <Panel>
      <EmptyState icon={<IconLock size={20} />} title="Not for your role">
        {why} Ask an administrator.
      </EmptyState>
    </Panel>
  );
}
