import type { ScenarioBody, ScenarioNode } from '../../api/types';

export type NodeType = ScenarioNode['type'];

/** The two ways out of a node, in words; the second only where there is one. */
export function exits(node: ScenarioNode): readonly { readonly side: 'next' | 'otherwise'; readonly label: string }[] {
  switch (node.type) {
    case 'exit':
      return [];
    case 'branch':
      return [{ side: 'next', label: 'yes' }, { side: 'otherwise', label: 'no' }];
    case 'decide':
      return [{ side: 'next', label: 'sent' }, { side: 'otherwise', label: 'not sent' }];
    case 'wait':
      return node.wait?.event === undefined ? [{ side: 'next', label: '' }] : [{ side: 'next', label: 'came' }, { side: 'otherwise', label: 'did not' }];
    case 'trigger':
      return [{ side: 'next', label: '' }];
  }
}

/** An edge of the graph as it is drawn. */
export interface Edge {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly sourceHandle: 'next' | 'otherwise';
  readonly label: string;
}

export function edgesOf(nodes: readonly ScenarioNode[]): readonly Edge[] {
  return nodes.flatMap((node) =>
    exits(node).flatMap(({ side, label }) => {
      const target = node[side];
      return target === undefined || target === '' ? [] : [{ id: `${node.id}:${side}`, source: node.id, target, sourceHandle: side, label }];
    }),
  );
}

/** Leads one way out of a node to another. Nothing leads to the trigger or to itself. */
export function connected(nodes: readonly ScenarioNode[], source: string, side: 'next' | 'otherwise', target: string): readonly ScenarioNode[] {
  const to = nodes.find(({ id }) => id === target);
  if (to === undefined || to.type === 'trigger' || source === target) return nodes;
  return nodes.map((node) => (node.id === source ? { ...node, [side]: target } : node));
}

/** Takes ways out away; what was led elsewhere stays. */
export function disconnected(nodes: readonly ScenarioNode[], removed: ReadonlySet<string>): readonly ScenarioNode[] {
  return nodes.map((node) => {
    const { next, otherwise, ...rest } = node;
    return {
      ...rest,
      ...(next === undefined || removed.has(`${node.id}:next`) ? {} : { next }),
      ...(otherwise === undefined || removed.has(`${node.id}:otherwise`) ? {} : { otherwise }),
    };
  });
}

/** Removes nodes with all that leads to them. The trigger stays. */
export function without(nodes: readonly ScenarioNode[], ids: ReadonlySet<string>): readonly ScenarioNode[] {
  const gone = new Set(nodes.filter(({ id, type }) => ids.has(id) && type !== 'trigger').map(({ id }) => id));
  const left = nodes.filter(({ id }) => !gone.has(id));
  return disconnected(left, new Set(edgesOf(left).filter(({ target }) => gone.has(target)).map(({ id }) => id)));
}

/** A new node with an id that is free. */
export function added(nodes: readonly ScenarioNode[], type: Exclude<NodeType, 'trigger'>): readonly ScenarioNode[] {
  let n = 1;
  while (nodes.some(({ id }) => id === `${type}-${n.toString()}`)) n++;
  const lowest = Math.max(0, ...nodes.map(({ y }) => y ?? 0));
  const base = { id: `${type}-${n.toString()}`, x: 0, y: lowest + 120 };
  switch (type) {
    case 'wait':
      return [...nodes, { ...base, type, wait: { minutes: 60 } }];
    case 'branch':
      return [...nodes, { ...base, type, branch: { condition: {} } }];
    case 'decide':
      return [...nodes, { ...base, type, decide: { decisionPoint: '' } }];
    case 'exit':
      return [...nodes, { ...base, type }];
  }
}

/** A time in words: 90 is 1 h 30 min. */
export function minutesWords(minutes: number): string {
  const days = Math.floor(minutes / 1440);
  const hours = Math.floor((minutes % 1440) / 60);
  const rest = Math.round(minutes % 60);
  return [days > 0 ? `${days.toString()} d` : '', hours > 0 ? `${hours.toString()} h` : '', rest > 0 || minutes < 1 ? `${rest.toString()} min` : ''].filter((part) => part !== '').join(' ');
}

/** What a node does, in words. */
export function nodeWords(node: ScenarioNode): string {
  switch (node.type) {
    case 'trigger': {
      const t = node.trigger;
      switch (t?.kind) {
        case 'segment-entered':
          return `enters ${t.segment ?? '?'}`;
        case 'segment-left':
          return `leaves ${t.segment ?? '?'}`;
        case 'event':
          return t.event ?? '?';
        case 'absence':
          return `${t.event ?? '?'} without ${t.missing ?? '?'} within ${minutesWords(t.withinMinutes ?? 0)}`;
        case 'date': {
          const offset = t.offsetDays ?? 0;
          const shift = offset === 0 ? 'on' : `${Math.abs(offset).toString()} d ${offset < 0 ? 'before' : 'after'}`;
          return `${shift} ${t.attribute ?? '?'}${t.yearly === true ? ', every year' : ''}`;
        }
        case undefined:
          return '?';
      }
    }
    case 'wait': {
      const w = node.wait ?? {};
      if (w.event !== undefined) return `${w.event}${w.ofDecision === true ? ' of the last message' : ''}, at most ${minutesWords(w.minutes ?? 0)}`;
      return [(w.minutes ?? 0) > 0 ? minutesWords(w.minutes ?? 0) : '', w.until === undefined ? '' : `until ${w.until}`].filter((part) => part !== '').join(', ');
    }
    case 'branch':
      return JSON.stringify(node.branch?.condition ?? {});
    case 'decide':
      return node.decide?.decisionPoint === '' ? 'no decision point yet' : (node.decide?.decisionPoint ?? '?');
    case 'exit':
      return 'leaves the scenario';
  }
}

/** A scenario to begin with. */
export const blank: ScenarioBody = {
  consent: { basis: 'consent' },
  nodes: [
    { id: 'trigger', type: 'trigger', trigger: { kind: 'event', event: 'Product Added' }, next: 'decide-1', x: 0, y: 0 },
    { id: 'decide-1', type: 'decide', decide: { decisionPoint: '' }, next: 'end', x: 0, y: 120 },
    { id: 'end', type: 'exit', x: 0, y: 240 },
  ],
};

/** The node that a fault of the service is about, by its place in the list. */
export function faultyNode(location: string): number | undefined {
  const found = /^(?:body\.)?nodes\[(\d+)\]/.exec(location);
  return found?.[1] === undefined ? undefined : Number(found[1]);
}
