import { Center, Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Navigate, useLocation } from 'react-router';
import { sessionQuery } from '../api/session';
import { ProblemPanel } from '../parts/ProblemPanel';
import { Shell } from './Shell';

/** Lets signed-in users in and leads everybody else to the sign-in page. */
export function RequireSession() {
  const session = useQuery(sessionQuery);
  const { pathname, search } = useLocation();
  if (session.data) return <Shell session={session.data} />;
  if (session.data === null) {
    const next = pathname === '/' ? '' : `?next=${encodeURIComponent(pathname + search)}`;
    return <Navigate to={`/login${next}`} replace />;
  }
  if (session.isError) {
    return (
      <Center mih="100vh" p="md">
        <ProblemPanel error={session.error} retry={() => void session.refetch()} />
      </Center>
    );
  }
  return (
    <Center mih="100vh">
      <Loader size="sm" aria-label="Loading" />
    </Center>
  );
}
