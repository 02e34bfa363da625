import { describe, expect, it } from 'vitest';
import { identityGraph, ruleWords } from './identityGraph';
import type { IdentityEdge, PersonIdentity } from '../../api/types';

const at = '2026-11-22T12:00:00Z';
const profile = (profileId: string, value: string) => ({
  profileId,
  createdAt: at,
  lastSeenAt: at,
  eventCount: 1,
  identifiers: [{ namespace: 'userId', value, firstSeen: at }],
});
const edge = (id: string, profiles: string[], more: Partial<IdentityEdge> = {}): IdentityEdge => ({
  id,
  profiles,
  at,
  explicit: false,
  kind: 'merge',
  live: true,
  rule: 'sign-in',
  ...more,
});

const identity = (edges: IdentityEdge[]): PersonIdentity => ({ personId: 'a', profiles: [profile('a', 'ada'), profile('b', 'bo')], edges });

describe('identityGraph', () => {
  it('joins profiles, and names them', () => {
    const graph = identityGraph(identity([edge('1', ['a', 'b'])]));
    expect(graph.points.map(({ label, inside }) => [label, inside])).toEqual([
      ['userId ada', true],
      ['userId bo', true],
    ]);
    expect(graph.lines).toMatchObject([{ id: '1', live: true }]);
  });
  it('shows who was told apart beside the person', () => {
    const graph = identityGraph(identity([edge('2', ['a', 'cccccccccccc'], { live: false })]));
    expect(graph.points[2]).toMatchObject({ label: 'cccccccc…', inside: false });
    expect(graph.lines).toMatchObject([{ live: false }]);
  });
  it('draws the live one of several edges', () => {
    const graph = identityGraph(identity([edge('2', ['b', 'a'], { live: false }), edge('1', ['a', 'b']), edge('0', ['a', 'b'], { live: false })]));
    expect(graph.lines).toMatchObject([{ id: '1', live: true }]);
  });
  it('leaves out what joins nobody', () => {
    const notes = [edge('3', ['a', 'b'], { kind: 'unmerge' }), edge('4', ['a'], { kind: 'share' })];
    expect(identityGraph(identity(notes)).lines).toEqual([]);
  });
  it('puts one alone into the middle', () => {
    const graph = identityGraph({ personId: 'a', profiles: [profile('a', 'ada')], edges: [] });
    expect(graph.points).toMatchObject([{ x: 50, y: 50 }]);
  });
});

describe('ruleWords', () => {
  it.each([
    ['sign-in', 'signed in on it'],
    ['email', 'same email'],
  ])('of %s', (rule, words) => expect(ruleWords(rule)).toBe(words));
});
