import type { Finding } from '../api/problem';

/** What the service says about a field of a form; empty when it says nothing. */
export function messageAt(findings: readonly Finding[], field: string): string {
  return findings
    .filter(({ location }) => location === field || location === `path.${field}`)
    .map(({ message }) => message)
    .join('; ');
}

/** Findings at none of the fields that a form has, for the head of the form. */
export function unplaced(findings: readonly Finding[], fields: readonly string[]): readonly Finding[] {
  return findings.filter(({ location }) => !fields.some((field) => location === field || location === `path.${field}`));
}
