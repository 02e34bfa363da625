// A rule as the editor holds it: every node has an id that stays when others
// move, and whatever the editor has no form for is kept as it was written.

export type Operator = string;

/** What a value is compared with. */
export interface Test {
  readonly op: Operator;
  readonly value: unknown;
  readonly ignoreCase: boolean;
}

export type Window =
  | { readonly kind: 'always' }
  | { readonly kind: 'last'; readonly span: string }
  | { readonly kind: 'between'; readonly from: string; readonly to: string };

export type Measure =
  | { readonly kind: 'did' | 'didNot' }
  | { readonly kind: 'times'; readonly atLeast: number | null; readonly atMost: number | null }
  | { readonly kind: 'exactly'; readonly times: number | null }
  | { readonly kind: 'aggregate'; readonly function: string; readonly property: string; readonly test: Test }
  | { readonly kind: 'first' | 'last'; readonly test: Test };

export interface Where {
  readonly property: string;
  readonly test: Test;
}

export interface Step {
  readonly event: string;
  readonly where: readonly Where[];
}

export type GroupKind = 'all' | 'any' | 'none';
export type NamedKind = 'trait' | 'attribute' | 'profile' | 'identifier';

export interface GroupNode {
  readonly id: string;
  readonly kind: GroupKind;
  readonly nodes: readonly Node[];
}

export interface NamedNode {
  readonly id: string;
  readonly kind: NamedKind;
  readonly name: string;
  readonly test: Test;
}

export interface ConsentNode {
  readonly id: string;
  readonly kind: 'consent';
  readonly purpose: string;
  readonly channel: string;
  readonly status: string;
}

export interface SegmentNode {
  readonly id: string;
  readonly kind: 'segment';
  readonly key: string;
}

export interface EventNode {
  readonly id: string;
  readonly kind: 'event';
  readonly event: string;
  readonly where: readonly Where[];
  readonly window: Window;
  readonly measure: Measure;
}

export interface SequenceNode {
  readonly id: string;
  readonly kind: 'sequence';
  readonly steps: readonly Step[];
  readonly within: string;
  readonly window: Window;
}

/** Something that there is no form for; it stays as it is. */
export interface RawNode {
  readonly id: string;
  readonly kind: 'raw';
  readonly json: unknown;
}

export type Leaf = NamedNode | ConsentNode | SegmentNode | EventNode | SequenceNode | RawNode;
export type Node = GroupNode | Leaf;

let last = 0;

/** An id that no other node of this page has. */
export function newId(): string {
  last += 1;
  return `n${last.toString()}`;
}

export function isGroup(node: Node): node is GroupNode {
  return node.kind === 'all' || node.kind === 'any' || node.kind === 'none';
}

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function only(json: Json, members: readonly string[]): boolean {
  return Object.keys(json).every((name) => members.includes(name));
}

function testOf(json: Json): Test {
  return { op: text(json['op']), value: json['value'], ignoreCase: json['ignoreCase'] === true };
}

function windowOf(value: unknown): Window | undefined {
  if (value === undefined) return { kind: 'always' };
  if (!isObject(value)) return undefined;
  if (typeof value['last'] === 'string' && only(value, ['last'])) return { kind: 'last', span: value['last'] };
  return only(value, ['from', 'to']) ? { kind: 'between', from: text(value['from']), to: text(value['to']) } : undefined;
}

function whereOf(value: unknown): readonly Where[] | undefined {
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every(isObject)) return undefined;
  return value.map((json) => ({ property: text(json['property']), test: testOf(json) }));
}

function measureOf(json: Json): Measure | undefined {
  const { did, times, aggregate, first, last: latest } = json as Record<'did' | 'times' | 'aggregate' | 'first' | 'last', unknown>;
  if ([did, times, aggregate, first, latest].filter((each) => each !== undefined).length > 1) return undefined;
  if (typeof did === 'boolean') return { kind: did ? 'did' : 'didNot' };
  if (isObject(times)) {
    const number = (value: unknown) => (typeof value === 'number' ? value : null);
    if ('exactly' in times) return { kind: 'exactly', times: number(times['exactly']) };
    return { kind: 'times', atLeast: number(times['atLeast']), atMost: number(times['atMost']) };
  }
  if (isObject(aggregate)) {
    return { kind: 'aggregate', function: text(aggregate['function']), property: text(aggregate['property']), test: testOf(aggregate) };
  }
  if (isObject(first)) return { kind: 'first', test: testOf(first) };
  if (isObject(latest)) return { kind: 'last', test: testOf(latest) };
  return did === undefined && times === undefined && aggregate === undefined ? { kind: 'did' } : undefined;
}

const testMembers = ['op', 'value', 'ignoreCase'];
const namedKinds: readonly NamedKind[] = ['trait', 'attribute', 'profile', 'identifier'];

/** The editor's node for a rule of the API. */
export function nodeOf(rule: unknown): Node {
  const id = newId();
  const raw: RawNode = { id, kind: 'raw', json: rule };
  if (!isObject(rule)) return raw;
  for (const kind of ['all', 'any'] as const) {
    const nodes = rule[kind];
    if (Array.isArray(nodes) && only(rule, [kind])) return { id, kind, nodes: nodes.map(nodeOf) };
  }
  if ('not' in rule && only(rule, ['not'])) {
    const inner = nodeOf(rule['not']);
    return { id, kind: 'none', nodes: inner.kind === 'any' ? inner.nodes : [inner] };
  }
  for (const kind of namedKinds) {
    const name = rule[kind];
    if (typeof name !== 'string' || !only(rule, [kind, ...testMembers])) continue;
    const test = testOf(rule);
    return { id, kind, name, test: test.op === '' && kind === 'identifier' ? { ...test, op: 'exists' } : test };
  }
  const consent = rule['consent'];
  if (isObject(consent) && only(rule, ['consent']) && only(consent, ['purpose', 'channel', 'status'])) {
    const status = text(consent['status']);
    return { id, kind: 'consent', purpose: text(consent['purpose']), channel: text(consent['channel']), status: status || 'granted' };
  }
  if (typeof rule['segment'] === 'string' && only(rule, ['segment'])) return { id, kind: 'segment', key: rule['segment'] };
  const window = windowOf(rule['window']);
  if (window === undefined) return raw;
  if (typeof rule['event'] === 'string') {
    const where = whereOf(rule['where']);
    const measure = measureOf(rule);
    const members = ['event', 'where', 'window', 'did', 'times', 'aggregate', 'first', 'last'];
    if (where === undefined || measure === undefined || !only(rule, members)) return raw;
    return { id, kind: 'event', event: rule['event'], where, window, measure };
  }
  const steps = rule['sequence'];
  if (Array.isArray(steps) && steps.every(isObject) && only(rule, ['sequence', 'within', 'window'])) {
    const read = steps.map((step) => ({ event: text(step['event']), where: whereOf(step['where']) ?? [] }));
    return { id, kind: 'sequence', steps: read, within: text(rule['within']), window };
  }
  return raw;
}

/** The editor's tree for a rule: its root is always a group, so that there is a place to add to. */
export function treeOf(rule: unknown): GroupNode {
  if (rule === undefined || rule === null) return { id: newId(), kind: 'all', nodes: [] };
  const node = nodeOf(rule);
  return isGroup(node) ? node : { id: newId(), kind: 'all', nodes: [node] };
}

/** Operators that take no value. */
export const valueless: ReadonlySet<Operator> = new Set(['exists', 'missing']);

function testJson(test: Test): Json {
  return {
    op: test.op,
    ...(valueless.has(test.op) ? {} : { value: test.value }),
    ...(test.ignoreCase ? { ignoreCase: true } : {}),
  };
}

function whereJson(where: readonly Where[]): Json {
  return where.length === 0 ? {} : { where: where.map(({ property, test }) => ({ property, ...testJson(test) })) };
}

function windowJson(window: Window): Json {
  if (window.kind === 'always') return {};
  if (window.kind === 'last') return { window: { last: window.span } };
  return { window: { ...(window.from ? { from: window.from } : {}), ...(window.to ? { to: window.to } : {}) } };
}

function measureJson(measure: Measure): Json {
  switch (measure.kind) {
    case 'did':
      return {};
    case 'didNot':
      return { did: false };
    case 'times':
      return {
        times: {
          ...(measure.atLeast === null ? {} : { atLeast: measure.atLeast }),
          ...(measure.atMost === null ? {} : { atMost: measure.atMost }),
        },
      };
    case 'exactly':
      return { times: { exactly: measure.times } };
    case 'aggregate':
      return { aggregate: { function: measure.function, property: measure.property, ...testJson(measure.test) } };
    default:
      return { [measure.kind]: testJson(measure.test) };
  }
}

/** The rule of the API for a node of the editor. */
export function ruleOf(node: Node): unknown {
  switch (node.kind) {
    case 'all':
    case 'any':
      return { [node.kind]: node.nodes.map(ruleOf) };
    case 'none': {
      const [first, ...more] = node.nodes.map(ruleOf);
      return { not: more.length === 0 && first !== undefined ? first : { any: first === undefined ? [] : [first, ...more] } };
    }
    case 'consent':
      return {
        consent: {
          purpose: node.purpose,
          ...(node.channel ? { channel: node.channel } : {}),
          ...(node.status === 'granted' ? {} : { status: node.status }),
        },
      };
    case 'segment':
      return { segment: node.key };
    case 'event':
      return { event: node.event, ...whereJson(node.where), ...windowJson(node.window), ...measureJson(node.measure) };
    case 'sequence':
      return {
        sequence: node.steps.map((step) => ({ event: step.event, ...whereJson(step.where) })),
        ...(node.within ? { within: node.within } : {}),
        ...windowJson(node.window),
      };
    case 'raw':
      return node.json;
    default:
      return { [node.kind]: node.name, ...testJson(node.test) };
  }
}
