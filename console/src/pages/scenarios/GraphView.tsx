import { Background, Controls, Handle, Position, ReactFlow, type Connection, type EdgeChange, type Node, type NodeChange, type NodeProps } from '@xyflow/react';
import '@xyflow/react/dist/style.css';
import { useMemo } from 'react';
import type { ScenarioNode, ScenarioProgress } from '../../api/types';
import { count } from '../../format/number';
import { connected, disconnected, edgesOf, exits, nodeWords, without } from './graph';
import './scenarios.css';

type Shown = Node<{ readonly node: ScenarioNode; readonly fault: boolean; readonly note: string }, 'scenario'>;

interface GraphViewProps {
  readonly nodes: readonly ScenarioNode[];
  readonly selected?: string;
  readonly faults?: ReadonlySet<string>;
  /** How many people are where, under each node. */
  readonly progress?: ScenarioProgress | undefined;
  readonly onSelect?: (id: string) => void;
  /** Without it the graph is only shown. */
  readonly onChange?: (nodes: readonly ScenarioNode[]) => void;
}

const kinds = { scenario: GraphNode };

/** A scenario as a graph: nodes can be moved, joined, chosen and removed, also by keyboard. */
export function GraphView({ nodes, selected = '', faults, progress, onSelect, onChange }: GraphViewProps) {
  const shown = useMemo<Shown[]>(
    () =>
      nodes.map((node) => ({
        id: node.id,
        type: 'scenario',
        position: { x: node.x ?? 0, y: node.y ?? 0 },
        selected: node.id === selected,
        deletable: node.type !== 'trigger',
        ariaLabel: `${node.type}: ${node.name ?? node.id}`,
        data: { node, fault: faults?.has(node.id) ?? false, note: noteOf(progress, node.id) },
      })),
    [nodes, selected, faults, progress],
  );
  const edges = useMemo(() => edgesOf(nodes).map((edge) => ({ ...edge })), [nodes]);
  const nodesChanged = (changes: NodeChange<Shown>[]) => {
    const gone = new Set<string>();
    let next = nodes;
    for (const change of changes) {
      if (change.type === 'select' && change.selected) onSelect?.(change.id);
      if (change.type === 'remove') gone.add(change.id);
      if (change.type === 'position' && change.position !== undefined) {
        const { x, y } = change.position;
        next = next.map((node) => (node.id === change.id ? { ...node, x: Math.round(x), y: Math.round(y) } : node));
      }
    }
    if (gone.size > 0) next = without(next, gone);
    if (next !== nodes) onChange?.(next);
  };
  const edgesChanged = (changes: EdgeChange[]) => {
    const gone = new Set(changes.flatMap((change) => (change.type === 'remove' ? [change.id] : [])));
    if (gone.size > 0) onChange?.(disconnected(nodes, gone));
  };
  const join = ({ source, sourceHandle, target }: Connection) => {
    onChange?.(connected(nodes, source, sourceHandle === 'otherwise' ? 'otherwise' : 'next', target));
  };
  const editable = onChange !== undefined;
  return (
    <div className="q-graph" role="group" aria-label="Graph of the scenario">
      <ReactFlow<Shown>
        nodes={shown}
        edges={edges}
        nodeTypes={kinds}
        onNodesChange={nodesChanged}
        onEdgesChange={edgesChanged}
        onConnect={join}
        nodesDraggable={editable}
        nodesConnectable={editable}
        deleteKeyCode={editable ? ['Delete', 'Backspace'] : null}
        fitView
        fitViewOptions={{ maxZoom: 1, padding: 0.15 }}
        minZoom={0.2}
        proOptions={{ hideAttribution: false }}
      >
        <Background />
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

/** How many stand at a node, and how it was passed. */
function noteOf(progress: ScenarioProgress | undefined, id: string): string {
  const found = progress?.nodes.find(({ node }) => node === id);
  if (found === undefined) return '';
  const passed = Object.entries(found.outcomes).map(([outcome, n]) => `${count(n)} ${outcome}`);
  return [...(found.standing > 0 ? [`${count(found.standing)} here now`] : []), ...passed].join(' · ');
}

function GraphNode({ data: { node, fault, note }, selected }: NodeProps<Shown>) {
  const ways = exits(node);
  return (
    <div className="q-node" data-type={node.type} data-fault={fault} data-selected={selected}>
      {node.type !== 'trigger' && <Handle type="target" position={Position.Top} />}
      <span className="q-node-kind">{node.type}</span>
      <b>{node.name ?? node.id}</b>
      <span className="q-muted" title={nodeWords(node)}>
        {nodeWords(node)}
      </span>
      {note !== '' && <span title={note}>{note}</span>}
      {ways.length > 1 && (
        <div className="q-node-exits" aria-hidden="true">
          {ways.map(({ side, label }) => (
            <i key={side}>{label}</i>
          ))}
        </div>
      )}
      {ways.map(({ side }, i) => (
        <Handle key={side} id={side} type="source" position={Position.Bottom} style={ways.length > 1 ? { left: i === 0 ? '25%' : '75%' } : {}} />
      ))}
    </div>
  );
}
