import { expect, it } from 'vitest';
import { may, whyNot, type Scope } from './may';
import type { Session } from './types';

const session = (...scopes: Scope[]): Session => ({ user: { name: 'A', email: 'a', role: 'own' }, hasPassword: true, masked: false, scopes });

it.each<[Session | null | undefined, Scope, boolean]>([
  [session('read'), 'read', true],
  [session('read'), 'define', false],
  [session('read', 'ingest'), 'ingest', true],
  [session('define'), 'ingest', false],
  [session('define'), 'admin', false],
  [session('admin'), 'identity', true],
  [session('admin'), 'read', true],
  [session(), 'read', false],
  [null, 'read', false],
  [undefined, 'read', false],
])('%o may %s: %s', (who, scope, is) => {
  expect(may(who, scope)).toBe(is);
  expect(whyNot(who, scope) === '').toBe(is);
});

it('says what is not allowed', () => expect(whyNot(session('read'), 'define')).toBe('Your role does not let you change definitions.'));
