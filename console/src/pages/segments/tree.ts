import { isGroup, newId, valueless, type GroupNode, type Node, type Test, type Where } from './rule';

/** The tree with one node exchanged; undefined takes it out. */
export function replaced(root: GroupNode, id: string, by: (node: Node) => Node | undefined): GroupNode {
  const visit = (node: Node): Node | undefined => {
    if (node.id === id) return by(node);
    if (!isGroup(node)) return node;
    const nodes = node.nodes.map(visit).filter((each) => each !== undefined);
    return nodes.length === node.nodes.length && nodes.every((each, place) => each === node.nodes[place]) ? node : { ...node, nodes };
  };
  const changed = visit(root);
  return changed !== undefined && isGroup(changed) ? changed : { ...root, nodes: [] };
}

/** The tree with a node at the end of a group. */
export function appended(root: GroupNode, group: string, node: Node): GroupNode {
  return replaced(root, group, (found) => (isGroup(found) ? { ...found, nodes: [...found.nodes, node] } : found));
}

/** The tree with a node one place further up or down among its siblings. */
export function moved(root: GroupNode, id: string, by: -1 | 1): GroupNode {
  const visit = (group: GroupNode): GroupNode => {
    const nodes = group.nodes.map((node) => (isGroup(node) ? visit(node) : node));
    const from = nodes.findIndex((node) => node.id === id);
    const to = from + by;
    const [node, other] = [nodes[from], nodes[to]];
    if (node !== undefined && other !== undefined) {
      nodes[from] = other;
      nodes[to] = node;
    }
    return { ...group, nodes };
  };
  return visit(root);
}

/** The tree with a node put into a group of its own. */
export function wrapped(root: GroupNode, id: string, kind: GroupNode['kind']): GroupNode {
  return replaced(root, id, (node) => ({ id: newId(), kind, nodes: [node] }));
}

/** Which node each path of the rule belongs to, as the service names paths. */
export function pathsOf(root: GroupNode, start = 'rule'): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  const visit = (node: Node, path: string) => {
    paths.set(path, node.id);
    if (!isGroup(node)) return;
    if (node.kind === 'none' && node.nodes.length === 1 && node.nodes[0] !== undefined) {
      visit(node.nodes[0], `${path}.not`);
      return;
    }
    const inside = node.kind === 'none' ? `${path}.not.any` : `${path}.${node.kind}`;
    node.nodes.forEach((each, place) => {
      visit(each, `${inside}[${place.toString()}]`);
    });
  };
  visit(root, start);
  return paths;
}

/** Something to be put right at one node. */
export interface NodeFinding {
  readonly id: string;
  /** The part of the node, such as where[0].op; empty for the node itself. */
  readonly field: string;
  readonly message: string;
}

/** Puts what the service found wrong with a rule to the nodes that it names. */
export function findingsByNode(root: GroupNode, findings: readonly { readonly location: string; readonly message: string }[]): NodeFinding[] {
  const paths = pathsOf(root);
  return findings.map(({ location, message }) => {
    let path = location;
    while (path !== '' && !paths.has(path)) path = path.replace(/(\.[^.[\]]*|\[\d+\]|^[^.[\]]+)$/, '');
    return { id: paths.get(path) ?? root.id, field: location.slice(path.length).replace(/^\./, ''), message };
  });
}

function lacksValue(test: Test): boolean {
  if (test.op === '') return true;
  if (valueless.has(test.op)) return false;
  if (Array.isArray(test.value)) return test.value.length === 0 || test.value.some((each) => each === '' || each === null);
  return test.value === undefined || test.value === null || test.value === '';
}

function lacksFilter({ property, test }: Where): boolean {
  return property === '' || lacksValue(test);
}

function lack(node: Node): string {
  switch (node.kind) {
    case 'all':
    case 'any':
    case 'none':
      return node.nodes.length === 0 ? 'Add a condition' : '';
    case 'consent':
      return node.purpose === '' ? 'Choose a purpose' : '';
    case 'segment':
      return node.key === '' ? 'Choose a segment' : '';
    case 'raw':
      return '';
    case 'event': {
      if (node.event === '') return 'Name the event';
      if (node.where.some(lacksFilter)) return 'Complete the filters of the event';
      if (node.window.kind === 'last' && node.window.span === '') return 'Say how far back';
      if (node.window.kind === 'between' && node.window.from === '' && node.window.to === '') return 'Say from when, or until when';
      const { measure } = node;
      if (measure.kind === 'times' && measure.atLeast === null && measure.atMost === null) return 'Say how many times';
      if (measure.kind === 'exactly' && measure.times === null) return 'Say how many times';
      if (measure.kind === 'aggregate' && measure.property === '') return 'Name the property';
      return 'test' in measure && lacksValue(measure.test) ? 'Give a value' : '';
    }
    case 'sequence':
      if (node.steps.some((step) => step.event === '')) return 'Name every event';
      return node.steps.some((step) => step.where.some(lacksFilter)) ? 'Complete the filters of the events' : '';
    default:
      if (node.name === '') return 'Choose what to ask about';
      return lacksValue(node.test) ? 'Give a value' : '';
  }
}

/** What is still to be filled in, before the service can be asked. */
export function lacks(root: GroupNode): NodeFinding[] {
  const found: NodeFinding[] = [];
  const visit = (node: Node) => {
    const message = lack(node);
    if (message !== '') found.push({ id: node.id, field: '', message });
    if (isGroup(node)) node.nodes.forEach(visit);
  };
  visit(root);
  return found;
}
