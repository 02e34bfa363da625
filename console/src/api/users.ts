import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem } from './problem';
import type { NewUser, RoleBody } from './types';

export const usersQuery = (after = '') =>
  queryOptions({
    queryKey: ['users', after],
    queryFn: () => unwrap(client.GET('/v1/users', { params: { query: { limit: 50, ...(after ? { after } : {}) } } })),
    placeholderData: keepPreviousData,
  });

/** Built-in roles and one's own. */
export const rolesQuery = queryOptions({
  queryKey: ['roles'],
  queryFn: () => unwrap(client.GET('/v1/users/roles')),
});

export async function createUser(user: NewUser): Promise<void> {
  await unwrap(client.POST('/v1/users', { body: user }));
}

export async function changeRole(id: string, role: string): Promise<void> {
  await unwrap(client.PATCH('/v1/users/{id}', { params: { path: { id } }, body: { role } }));
}

export async function removeUser(id: string): Promise<void> {
  await unwrap(client.DELETE('/v1/users/{id}', { params: { path: { id } } }));
}

/** A link that signs a user in once, within 15 minutes. */
export function createLoginLink(id: string) {
  return unwrap(client.POST('/v1/users/{id}/login-links', { params: { path: { id } } }));
}

/** Makes a role; one of one's own with that key must not be there yet. */
export async function createRole(key: string, role: RoleBody): Promise<void> {
  const params = { path: { key }, header: { 'If-None-Match': '*' as const } };
  try {
    await unwrap(client.PUT('/v1/roles/{key}', { params, body: role }));
  } catch (error) {
    if (!(error instanceof Problem && error.status === 412)) throw error;
    throw new Problem(412, 'The key is taken', '', [{ location: 'path.key', message: 'is that of another role' }]);
  }
}

export async function replaceRole(key: string, role: RoleBody): Promise<void> {
  await unwrap(client.PUT('/v1/roles/{key}', { params: { path: { key } }, body: role }));
}

export async function deleteRole(key: string): Promise<void> {
  await unwrap(client.DELETE('/v1/roles/{key}', { params: { path: { key } } }));
}
