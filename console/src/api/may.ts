import type { Session } from './types';

// The service decides what a user may do, and says so when asked; these only
// keep buttons away from those whose built-in role is known to be refused.
const cannotAdminister: ReadonlySet<string> = new Set(['manager', 'analyst', 'support', 'viewer']);
const cannotDefine: ReadonlySet<string> = new Set(['analyst', 'support', 'viewer']);

/** Whether somebody may change definitions, as far as the console knows. */
export function mayDefine(session: Session | null | undefined): boolean {
  return session !== null && session !== undefined && !cannotDefine.has(session.user.role);
}

/** Whether somebody may change settings and start computations, as far as the console knows. */
export function mayAdminister(session: Session | null | undefined): boolean {
  return session !== null && session !== undefined && !cannotAdminister.has(session.user.role);
}
