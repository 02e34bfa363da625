import { Button, Tooltip, type ButtonProps } from '@mantine/core';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useWhyNot, type Scope } from '../api/may';

interface ActionButtonProps extends Pick<ButtonProps, 'variant' | 'color' | 'leftSection' | 'loading' | 'mr'> {
  /** The scope that the call behind the button asks for. */
  readonly needs: Scope;
  readonly size?: 'compact-xs' | 'xs' | 'sm';
  /** Why it cannot be pressed now, for another reason than the role; empty when it can. */
  readonly blocked?: string;
  /** Where it leads, in place of onClick. */
  readonly to?: string;
  readonly onClick?: () => void;
  readonly children: ReactNode;
}

/**
 * A button for a change. Where the role does not let somebody make it, the
 * button stays, cannot be pressed, and says why: to the mouse, and to whoever
 * comes by keyboard.
 */
export function ActionButton({ needs, size = 'xs', blocked = '', to, onClick, children, ...look }: ActionButtonProps) {
  const refused = useWhyNot(needs);
  const why = refused || blocked;
  if (why !== '') {
    return (
      <Tooltip label={why} multiline maw={280} events={{ hover: true, focus: true, touch: true }}>
        <Button {...look} size={size} data-disabled aria-disabled="true" aria-description={why}>
          {children}
        </Button>
      </Tooltip>
    );
  }
  if (to !== undefined) {
    return (
      <Button {...look} size={size} component={Link} to={to}>
        {children}
      </Button>
    );
  }
  return (
    <Button {...look} size={size} onClick={onClick}>
      {children}
    </Button>
  );
}
