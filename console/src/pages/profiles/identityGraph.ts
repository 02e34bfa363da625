import type { BaseIdentity, IdentityEdge, PersonIdentity } from '../../api/types';
import { orderedIdentifiers } from './person';

export interface GraphPoint {
  readonly id: string;
  readonly label: string;
  readonly x: number;
  readonly y: number;
  /** In this person now; others were told apart. */
  readonly inside: boolean;
}

export interface GraphLine {
  readonly id: string;
  readonly from: GraphPoint;
  readonly to: GraphPoint;
  readonly live: boolean;
}

/** The drawing of who is joined to whom. */
export interface Graph {
  readonly points: readonly GraphPoint[];
  readonly lines: readonly GraphLine[];
}

/** Edges that join two profiles; notes about shared devices are none. */
export function mergeEdges(identity: Pick<PersonIdentity, 'edges'>): IdentityEdge[] {
  return (identity.edges ?? []).filter((edge) => edge.kind === 'merge' && (edge.profiles ?? []).length === 2);
}

/** What to call a profile: its best known identifier, else the beginning of its id. */
export function profileLabel(profile: Pick<BaseIdentity, 'profileId' | 'identifiers'> | undefined, id: string): string {
  const [best] = profile === undefined ? [] : orderedIdentifiers({ ...profile, traits: {} });
  return best === undefined ? `${id.slice(0, 8)}…` : `${best.namespace} ${best.value}`;
}

/** Places profiles on a circle in a square of 100, the person's own first. */
export function identityGraph(identity: PersonIdentity): Graph {
  const profiles = new Map((identity.profiles ?? []).map((profile) => [profile.profileId, profile]));
  const edges = mergeEdges(identity);
  const ids = [...new Set([...profiles.keys(), ...edges.flatMap((edge) => edge.profiles ?? [])])];
  const points = ids.map((id, place): GraphPoint => {
    const angle = (place / ids.length) * 2 * Math.PI - Math.PI / 2;
    const radius = ids.length === 1 ? 0 : 36;
    return {
      id,
      label: profileLabel(profiles.get(id), id),
      x: 50 + radius * Math.cos(angle),
      y: 50 + radius * Math.sin(angle),
      inside: profiles.has(id),
    };
  });
  const at = new Map(points.map((point) => [point.id, point]));
  // Of two profiles one line is drawn, the live one when there is one.
  const lines = new Map<string, GraphLine>();
  for (const edge of edges) {
    const [from, to] = (edge.profiles ?? []).map((id) => at.get(id));
    if (from === undefined || to === undefined) continue;
    const pair = [from.id, to.id].sort().join(' ');
    if (edge.live || !lines.has(pair)) lines.set(pair, { id: edge.id, from, to, live: edge.live });
  }
  return { points, lines: [...lines.values()] };
}

const rules: Readonly<Record<string, string>> = {
  'sign-in': 'signed in on it',
  alias: 'named by an alias',
  manual: 'by hand',
};

/** Why two profiles were joined. */
export function ruleWords(rule: string): string {
  return rules[rule] ?? `same ${rule}`;
}
