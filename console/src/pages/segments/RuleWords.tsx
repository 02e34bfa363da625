import { isGroup, nodeOf, type Node } from './rule';
import { groupWords, leafWords } from './words';
import './rule.css';

/** A rule as sentences, groups as nested lists. */
export function RuleWords({ rule }: { readonly rule: unknown }) {
  return (
    <div className="q-rule-words">
      <Words node={nodeOf(rule)} />
    </div>
  );
}

function Words({ node }: { readonly node: Node }) {
  if (!isGroup(node)) return <>{leafWords(node)}</>;
  const [first] = node.nodes;
  if (first !== undefined && node.nodes.length === 1 && node.kind !== 'none') return <Words node={first} />;
  return (
    <>
      <span className="q-rule-words-group">{groupWords[node.kind]}:</span>
      <ul>
        {node.nodes.map((each) => (
          <li key={each.id}>
            <Words node={each} />
          </li>
        ))}
      </ul>
    </>
  );
}
