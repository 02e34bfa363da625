import { useQuery } from '@tanstack/react-query';
import { client, unwrap } from '../../api/client';
import { filtersQuery, segmentChoicesQuery } from '../../api/segments';
import { eventNames } from './filters';

/** Names that a rule may use, to choose from; others may be typed. */
export interface Vocabulary {
  readonly traits: readonly string[];
  readonly attributes: readonly string[];
  readonly events: readonly string[];
  readonly purposes: readonly string[];
  readonly channels: readonly string[];
  readonly segments: readonly { readonly value: string; readonly label: string }[];
}

const page = { params: { query: { limit: 200 } } } as const;
const keysOf = (answer: { items?: readonly { key: string }[] | null }) => (answer.items ?? []).map(({ key }) => key);
const unique = (...lists: readonly (readonly string[])[]) => [...new Set(lists.flat())].sort();

// Traits need no declaration; these have a meaning in the tracking API.
const usualTraits = ['address.city', 'address.country', 'age', 'birthday', 'city', 'email', 'firstName', 'gender', 'lastName', 'name', 'phone'];

/** Reads the names from the service; what can not be read is left out, as every name may be typed. */
export function useVocabulary(): Vocabulary {
  const filters = useQuery(filtersQuery);
  const segments = useQuery(segmentChoicesQuery);
  const names = useQuery({
    queryKey: ['vocabulary'],
    queryFn: async () => {
      const [traits, builtIn, own, purposes, channels] = await Promise.all([
        unwrap(client.GET('/v1/traits', page)).then(keysOf),
        unwrap(client.GET('/v1/attribute-catalogue')).then((answer) => (answer.items ?? []).filter(({ inMemory }) => inMemory).map(({ key }) => key)),
        unwrap(client.GET('/v1/attributes', page)).then(keysOf),
        unwrap(client.GET('/v1/purposes', page)).then(keysOf),
        unwrap(client.GET('/v1/channels', page)).then(keysOf),
      ]);
      return { traits, attributes: unique(builtIn, own), purposes, channels };
    },
    staleTime: 60_000,
  });
  return {
    traits: unique(usualTraits, names.data?.traits ?? []),
    attributes: names.data?.attributes ?? [],
    events: eventNames(filters.data?.items ?? []),
    purposes: names.data?.purposes ?? [],
    channels: names.data?.channels ?? [],
    segments: (segments.data?.items ?? []).map(({ key, name }) => ({ value: key, label: name ?? key })),
  };
}
