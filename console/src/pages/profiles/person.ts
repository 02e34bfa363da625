import type { Identifier, ProfileRow } from '../../api/types';

type Named = Pick<ProfileRow, 'profileId' | 'identifiers' | 'traits'>;

function trait(person: Named, name: string): string {
  const value = (person.traits as Record<string, unknown> | null)?.[name];
  return typeof value === 'string' ? value : '';
}

// The identifier that people of the business know comes first.
const ranks: readonly string[] = ['userId', 'email', 'phone'];

function rank(identifier: Identifier): number {
  const place = ranks.indexOf(identifier.namespace);
  return place === -1 ? ranks.length : place;
}

/** Identifiers with the best known first. */
export function orderedIdentifiers(person: Named): Identifier[] {
  return [...(person.identifiers ?? [])].sort((a, b) => rank(a) - rank(b));
}

/** What to call a person: the name, else the best known identifier, else the profile id. */
export function personName(person: Named): string {
  const full = [trait(person, 'firstName'), trait(person, 'lastName')].filter(Boolean).join(' ');
  return trait(person, 'name') || full || trait(person, 'email') || orderedIdentifiers(person)[0]?.value || person.profileId;
}

/** A line that tells people of the same name apart. */
export function personNote(person: Named): string {
  const name = personName(person);
  const known = orderedIdentifiers(person)
    .filter((identifier) => identifier.value !== name)
    .slice(0, 2)
    .map((identifier) => `${identifier.namespace} ${identifier.value}`);
  const email = trait(person, 'email');
  if (email !== '' && email !== name && !known.some((text) => text.endsWith(email))) known.unshift(email);
  return known.length > 0 ? known.slice(0, 2).join(' · ') : person.profileId;
}
