import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { Problem } from './problem';
import { sessionQuery } from './session';

// An expired session can show itself in any call; whoever meets it tells the
// session, and the guard of the pages leads to the sign-in page.
function forgetSession(error: unknown): void {
  if (error instanceof Problem && error.status === 401) queryClient.setQueryData(sessionQuery.queryKey, null);
}

function worthAnotherTry(failures: number, error: unknown): boolean {
  const refused = error instanceof Problem && error.status >= 400 && error.status < 500 && error.status !== 429;
  return !refused && failures < 2;
}

export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: forgetSession }),
  mutationCache: new MutationCache({
    onError: (error, variables) => {
      // A wrong password is answered with 401 as well, and ends no session.
      if (!(typeof variables === 'object' && variables !== null && 'password' in variables)) forgetSession(error);
    },
  }),
  defaultOptions: { queries: { retry: worthAnotherTry, staleTime: 2_000, refetchOnWindowFocus: true } },
});
