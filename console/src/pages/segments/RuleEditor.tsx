import { ActionIcon, Button, Menu, NativeSelect, Tooltip } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconBooks, IconFolderPlus, IconParentheses, IconPlus, IconX } from '@tabler/icons-react';
import { emptyLeaf, LeafFields, leafKinds } from './LeafFields';
import { isGroup, newId, type GroupKind, type GroupNode, type Node } from './rule';
import { appended, moved, replaced, wrapped, type NodeFinding } from './tree';
import type { Vocabulary } from './vocabulary';
import { groupWords } from './words';
import './rule.css';

const kinds = (Object.keys(groupWords) as GroupKind[]).map((value) => ({ value, label: groupWords[value] }));

interface RuleEditorProps {
  readonly tree: GroupNode;
  readonly findings: readonly NodeFinding[];
  readonly vocabulary: Vocabulary;
  readonly onChange: (tree: GroupNode) => void;
  /** Opens the library of ready filters for a group. */
  readonly onLibrary: (group: string) => void;
}

/** Edits a rule: groups of conditions, as deep as they have to be. */
export function RuleEditor(props: RuleEditorProps) {
  return <Group {...props} node={props.tree} depth={0} />;
}

interface GroupProps extends RuleEditorProps {
  readonly node: GroupNode;
  readonly depth: number;
}

function Group({ node, depth, ...props }: GroupProps) {
  const { tree, onChange, onLibrary } = props;
  const add = (added: Node) => {
    onChange(appended(tree, node.id, added));
  };
  return (
    <div className={`q-rule-group q-rule-${node.kind}`} role="group" aria-label={groupWords[node.kind]}>
      <div className="q-rule-head">
        <NativeSelect
          aria-label={depth === 0 ? 'How the conditions belong together' : 'How the conditions of this group belong together'}
          size="xs"
          value={node.kind}
          data={kinds}
          onChange={(event) => {
            const kind = kinds.find(({ value }) => value === event.currentTarget.value)?.value ?? 'all';
            onChange(replaced(tree, node.id, (found) => (isGroup(found) ? { ...found, kind } : found)));
          }}
        />
        {depth > 0 && <NodeActions {...props} node={node} name="group" />}
      </div>
      <Findings id={node.id} findings={props.findings} />
      {node.nodes.length > 0 && (
        <ol className="q-rule-nodes">
          {node.nodes.map((each) => (
            <li key={each.id}>
              {isGroup(each) ? <Group {...props} node={each} depth={depth + 1} /> : <Condition {...props} node={each} />}
            </li>
          ))}
        </ol>
      )}
      <div className="q-rule-add">
        <Menu position="bottom-start" shadow="md">
          <Menu.Target>
            <Button size="compact-sm" variant="light" leftSection={<IconPlus size={14} />}>
              Condition
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {leafKinds.map(({ kind, label }) => (
              <Menu.Item
                key={kind}
                onClick={() => {
                  add(emptyLeaf(kind));
                }}
              >
                {label}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
        <Button
          size="compact-sm"
          variant="light"
          leftSection={<IconBooks size={14} />}
          onClick={() => {
            onLibrary(node.id);
          }}
        >
          Ready filter
        </Button>
        <Button
          size="compact-sm"
          variant="subtle"
          color="gray"
          leftSection={<IconFolderPlus size={14} />}
          onClick={() => {
            add({ id: newId(), kind: node.kind === 'any' ? 'all' : 'any', nodes: [] });
          }}
        >
          Group
        </Button>
      </div>
    </div>
  );
}

interface ConditionProps extends RuleEditorProps {
  readonly node: Exclude<Node, GroupNode>;
}

function Condition({ node, ...props }: ConditionProps) {
  const word = leafKinds.find(({ kind }) => kind === node.kind)?.word ?? 'JSON';
  const wrong = props.findings.some(({ id }) => id === node.id);
  return (
    <div className={`q-rule-leaf${wrong ? ' q-rule-wrong' : ''}`} role="group" aria-label={word}>
      <div className="q-rule-head">
        <span className="q-rule-kind">{word}</span>
        <NodeActions {...props} node={node} name="condition" />
      </div>
      <LeafFields
        node={node}
        vocabulary={props.vocabulary}
        onChange={(changed) => {
          props.onChange(replaced(props.tree, node.id, () => changed));
        }}
      />
      <Findings id={node.id} findings={props.findings} />
    </div>
  );
}

function Findings({ id, findings }: { readonly id: string; readonly findings: readonly NodeFinding[] }) {
  const own = findings.filter((finding) => finding.id === id);
  if (own.length === 0) return null;
  return (
    <ul className="q-rule-findings" role="status">
      {own.map(({ field, message }) => (
        <li key={`${field} ${message}`}>
          {field !== '' && <code>{field}</code>} {message}
        </li>
      ))}
    </ul>
  );
}

interface NodeActionsProps extends RuleEditorProps {
  readonly node: Node;
  readonly name: string;
}

function NodeActions({ node, name, tree, onChange }: NodeActionsProps) {
  const actions = [
    { label: `Move this ${name} up`, icon: IconArrowUp, change: () => moved(tree, node.id, -1) },
    { label: `Move this ${name} down`, icon: IconArrowDown, change: () => moved(tree, node.id, 1) },
    { label: `Put this ${name} into a group`, icon: IconParentheses, change: () => wrapped(tree, node.id, 'any') },
    { label: `Remove this ${name}`, icon: IconX, change: () => replaced(tree, node.id, () => undefined) },
  ];
  return (
    <span className="q-rule-actions">
      {actions.map(({ label, icon: Icon, change }) => (
        <Tooltip key={label} label={label}>
          <ActionIcon
            size="sm"
            variant="subtle"
            color="gray"
            aria-label={label}
            onClick={() => {
              onChange(change());
            }}
          >
            <Icon size={15} />
          </ActionIcon>
        </Tooltip>
      ))}
    </span>
  );
}
