import { useQuery } from '@tanstack/react-query';
import { sessionQuery } from './session';
import type { Session } from './types';

/** Something that a role lets its holders do. */
export type Scope = Session['scopes'][number];

// What stands behind "Your role does not let you …".
const deeds: Readonly<Record<Scope, string>> = {
  read: 'read this',
  define: 'change definitions',
  ingest: 'send in data',
  decide: 'ask for decisions',
  identity: 'join people and tell them apart',
  admin: 'do what administrators do',
};

/** Whether somebody may do what a scope names; an administrator may do everything. */
export function may(session: Session | null | undefined, scope: Scope): boolean {
  return session?.scopes.some((each) => each === scope || each === 'admin') ?? false;
}

/** Why somebody may not, in words; empty when they may. The service has the last word. */
export function whyNot(session: Session | null | undefined, scope: Scope): string {
  return may(session, scope) ? '' : `Your role does not let you ${deeds[scope]}.`;
}

/** Why whoever is signed in may not do what a scope names; empty when they may. */
export function useWhyNot(scope: Scope): string {
  const session = useQuery(sessionQuery);
  return whyNot(session.data, scope);
}

/** Whether whoever is signed in may do what a scope names. */
export function useMay(scope: Scope): boolean {
  return useWhyNot(scope) === '';
}
