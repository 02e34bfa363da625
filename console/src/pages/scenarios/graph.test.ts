import { describe, expect, it } from 'vitest';
import { added, blank, connected, disconnected, edgesOf, faultyNode, minutesWords, nodeWords, without } from './graph';

describe('the graph of a scenario', () => {
  const nodes = blank.nodes ?? [];
  it('has an edge for each way out', () => {
    expect(edgesOf(nodes).map(({ id, target }) => `${id}>${target}`)).toEqual(['trigger:next>decide-1', 'decide-1:next>end']);
  });
  it('gives a branch two ways, and only leads where it may', () => {
    let graph = added(nodes, 'branch');
    graph = connected(graph, 'branch-1', 'next', 'end');
    graph = connected(graph, 'branch-1', 'otherwise', 'trigger');
    graph = connected(graph, 'branch-1', 'otherwise', 'branch-1');
    expect(edgesOf(graph).filter(({ source }) => source === 'branch-1').map(({ id, label }) => `${id} ${label}`)).toEqual(['branch-1:next yes']);
  });
  it('removes nodes with what leads to them, but not the trigger', () => {
    const graph = without(nodes, new Set(['decide-1', 'trigger']));
    expect(graph.map(({ id }) => id)).toEqual(['trigger', 'end']);
    expect(edgesOf(graph)).toEqual([]);
  });
  it('removes edges', () => {
    expect(edgesOf(disconnected(nodes, new Set(['decide-1:next']))).map(({ id }) => id)).toEqual(['trigger:next']);
  });
  it('names new nodes as no other', () => {
    expect(added(added(nodes, 'wait'), 'wait').map(({ id }) => id)).toEqual(['trigger', 'decide-1', 'end', 'wait-1', 'wait-2']);
  });
  it('speaks in words', () => {
    expect(minutesWords(1530)).toBe('1 d 1 h 30 min');
    expect(minutesWords(60)).toBe('1 h');
    expect(nodeWords({ id: 'w', type: 'wait', wait: { event: 'Opened', minutes: 240, ofDecision: true } })).toBe('Opened of the last message, at most 4 h');
    expect(nodeWords({ id: 't', type: 'trigger', trigger: { kind: 'date', attribute: 'birthday', yearly: true, offsetDays: -3 } })).toBe('3 d before birthday, every year');
  });
  it('finds the node of a fault', () => {
    expect(faultyNode('body.nodes[12].next')).toBe(12);
    expect(faultyNode('body.consent')).toBeUndefined();
  });
});
