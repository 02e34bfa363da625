import { AppShell, Burger } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Suspense, useCallback, useRef } from 'react';
import { Outlet, useLocation } from 'react-router';
import type { Session } from '../api/types';
import { SkeletonBlock } from '../parts/Skeletons';
import { Tag } from '../parts/Tag';
import { Failure } from './Failure';
import { Navigation } from './Navigation';
import { ProfileSearch } from './ProfileSearch';
import { ShortcutHelp } from './ShortcutHelp';
import { ThemeToggle } from './ThemeToggle';
import { UserMenu } from './UserMenu';
import { useShortcuts } from './useShortcuts';
import './shell.css';

// Where the console runs is told by its address: a local service is for trying out.
const local = ['localhost', '127.0.0.1', '[::1]'].includes(window.location.hostname);

/** The frame around every page of a signed-in user. */
export function Shell({ session }: { readonly session: Session }) {
  const [menu, { toggle, close }] = useDisclosure(false);
  const [help, { open: openHelp, close: closeHelp }] = useDisclosure(false);
  const field = useRef<HTMLInputElement>(null);
  const { pathname } = useLocation();
  const search = useCallback(() => {
    field.current?.focus();
    field.current?.select();
  }, []);
  useShortcuts(search, openHelp);
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 216, breakpoint: 'sm', collapsed: { mobile: !menu } }}
      layout="alt"
      transitionDuration={120}
    >
      <a className="q-skip" href="#content">
        Skip to content
      </a>
      <AppShell.Header className="q-header">
        <Burger opened={menu} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Navigation" />
        <ProfileSearch field={field} />
        <div className="q-header-end">
          <span className="q-environment">
            <Tag tone={local ? 'neutral' : 'accent'} title={window.location.origin}>
              {local ? 'local' : window.location.hostname}
            </Tag>
          </span>
          <ThemeToggle />
          <UserMenu session={session} onShortcuts={openHelp} />
        </div>
      </AppShell.Header>
      <AppShell.Navbar className="q-navbar">
        <Burger opened={menu} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Close navigation" className="q-navbar-close" />
        <Navigation onNavigate={close} />
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1} className="q-main">
        <div className="q-content">
          <Failure key={pathname}>
            <Suspense fallback={<SkeletonBlock height={320} />}>
              <Outlet />
            </Suspense>
          </Failure>
        </div>
      </AppShell.Main>
      <ShortcutHelp opened={help} onClose={closeHelp} />
    </AppShell>
  );
}
