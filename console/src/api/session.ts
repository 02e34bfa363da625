import { queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { Problem } from './problem';
import type { Session } from './types';

/** Who is signed in; null when nobody is. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async (): Promise<Session | null> => {
    try {
      return await unwrap(client.GET('/auth/session'));
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: 60_000,
});

export async function signIn(email: string, password: string): Promise<void> {
  await unwrap(client.POST('/auth/login', { body: { email, password } }));
}

export async function signOut(): Promise<void> {
  await unwrap(client.POST('/auth/logout'));
}

export async function setPassword(password: string): Promise<void> {
  await unwrap(client.PUT('/auth/session', { body: { password } }));
}
