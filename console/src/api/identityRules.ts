import { queryOptions } from '@tanstack/react-query';
import { client, unwrap } from './client';
import type { NewIdentityRules } from './types';

export const identityRulesQuery = queryOptions({
  queryKey: ['identity-rules'],
  queryFn: () => unwrap(client.GET('/v1/identity-rules')),
});

export async function setIdentityRules(rules: NewIdentityRules): Promise<void> {
  await unwrap(client.PUT('/v1/identity-rules', { body: rules }));
}
