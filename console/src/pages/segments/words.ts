import { scalarText } from '../../parts/scalar';
import { operatorWords, spanWords } from './operators';
import { isGroup, nodeOf, type EventNode, type GroupKind, type Leaf, type Node, type Step, type Test, type Where, type Window } from './rule';

/** What a group asks of its conditions. */
export const groupWords: Readonly<Record<GroupKind, string>> = {
  all: 'All of these hold',
  any: 'At least one of these holds',
  none: 'None of these holds',
};

const profileWords: Readonly<Record<string, string>> = {
  createdAt: 'first seen',
  lastSeenAt: 'last seen',
  eventCount: 'number of messages',
};

const statusWords: Readonly<Record<string, string>> = {
  granted: 'consents',
  denied: 'refused',
  withdrawn: 'withdrew',
  pending: 'has yet to confirm',
  expired: 'had consented, which has expired,',
  unknown: 'has said nothing',
};

function one(value: unknown): string {
  if (value === undefined || value === null || value === '') return '…';
  return typeof value === 'string' ? `“${value}”` : typeof value === 'boolean' ? (value ? 'yes' : 'no') : scalarText(value);
}

const shownValues = 6;

function listed(values: readonly unknown[]): string {
  const shown = values.slice(0, shownValues).map(one);
  const rest = values.length - shown.length;
  if (rest > 0) return `${shown.join(', ')} and ${rest.toString()} more`;
  return shown.length < 2 ? (shown[0] ?? '…') : `${shown.slice(0, -1).join(', ')} or ${shown.at(-1) ?? ''}`;
}

function testWords(test: Test): string {
  const { words, form } = operatorWords(test.op);
  const { value } = test;
  const pair = Array.isArray(value) ? value : [];
  switch (form) {
    case 'none':
      return words;
    case 'list':
      return `${words} ${listed(pair)}`;
    case 'pair':
      return `${words} ${one(pair[0])} and ${one(pair[1])}`;
    case 'span':
      return `${words} ${spanWords(value)}`;
    case 'date':
      return `${words} ${typeof value === 'string' && value !== '' ? value : '…'}`;
    default:
      return `${words} ${one(value)}`;
  }
}

function filterWords(where: readonly Where[]): string {
  if (where.length === 0) return '';
  return ` where ${where.map(({ property, test }) => `${property || '…'} ${testWords(test)}`).join(' and ')}`;
}

function windowWords(window: Window): string {
  switch (window.kind) {
    case 'always':
      return '';
    case 'last':
      return ` in the last ${spanWords(window.span)}`;
    default: {
      const from = window.from ? ` from ${window.from}` : '';
      return `${from}${window.to ? ` until ${window.to}` : ''}`;
    }
  }
}

const functionWords: Readonly<Record<string, string>> = { sum: 'sum', average: 'average', min: 'smallest', max: 'largest' };

function times(number: number | null): string {
  if (number === null) return '… times';
  return number === 1 ? 'once' : number === 2 ? 'twice' : `${number.toString()} times`;
}

function eventWords(node: EventNode): string {
  const what = `“${node.event || '…'}”${filterWords(node.where)}`;
  const when = windowWords(node.window);
  const { measure } = node;
  switch (measure.kind) {
    case 'did':
      return `did ${what}${when}`;
    case 'didNot':
      return `did not do ${what}${when}`;
    case 'exactly':
      return `did ${what} exactly ${times(measure.times)}${when}`;
    case 'times': {
      const least = measure.atLeast === null ? '' : ` at least ${times(measure.atLeast)}`;
      const most = measure.atMost === null ? '' : `${least === '' ? '' : ' and'} at most ${times(measure.atMost)}`;
      return `did ${what}${least}${most}${when}`;
    }
    case 'aggregate':
      return `${functionWords[measure.function] ?? measure.function} ${measure.property || '…'} of ${what}${when} ${testWords(measure.test)}`;
    default:
      return `the ${measure.kind} ${what}${when} ${testWords(measure.test)}`;
  }
}

function stepWords(step: Step): string {
  return `“${step.event || '…'}”${filterWords(step.where)}`;
}

/** A condition as a sentence about a person. */
export function leafWords(node: Leaf): string {
  switch (node.kind) {
    case 'trait':
    case 'attribute':
      return `${node.name || '…'} ${testWords(node.test)}`;
    case 'profile':
      return `${profileWords[node.name] ?? node.name} ${testWords(node.test)}`;
    case 'identifier':
      if (node.test.op === 'exists') return `has an identifier ${node.name || '…'}`;
      if (node.test.op === 'missing') return `has no identifier ${node.name || '…'}`;
      return `${node.name || '…'} ${testWords(node.test)}`;
    case 'consent': {
      const over = node.channel ? ` over ${node.channel}` : '';
      const about = node.status === 'granted' ? 'to' : 'about';
      return `${statusWords[node.status] ?? node.status} ${about} ${node.purpose || '…'}${over}`;
    }
    case 'segment':
      return `is in the segment ${node.key || '…'}`;
    case 'event':
      return eventWords(node);
    case 'sequence': {
      const within = node.within ? `, all within ${spanWords(node.within)}` : '';
      return `did ${node.steps.map(stepWords).join(', then ')}${within}${windowWords(node.window)}`;
    }
    default:
      return JSON.stringify(node.json);
  }
}

function nested(node: Node, inside: boolean): string {
  if (!isGroup(node)) return leafWords(node);
  const [first] = node.nodes;
  if (node.kind !== 'none' && node.nodes.length === 1 && first !== undefined) return nested(first, inside);
  const joined = node.nodes.map((each) => nested(each, true)).join(node.kind === 'all' ? ' and ' : ' or ');
  if (node.kind === 'none') return `not (${joined})`;
  return inside && node.nodes.length > 1 ? `(${joined})` : joined;
}

/** A whole rule in one line. */
export function ruleWords(rule: unknown): string {
  return rule === undefined || rule === null ? '' : nested(nodeOf(rule), false);
}
