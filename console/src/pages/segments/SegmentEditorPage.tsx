import { Button, JsonInput, SegmentedControl, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { useWhyNot } from '../../api/may';
import { asProblem } from '../../api/problem';
import { estimateQuery, saveSegment, segmentQuery, type TaggedSegment } from '../../api/segments';
import { Loaded } from '../../parts/Loaded';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { EstimatePanel } from './EstimatePanel';
import { FilterLibrary } from './FilterLibrary';
import { isGroup, nodeOf, ruleOf, treeOf, type GroupNode } from './rule';
import { RuleEditor } from './RuleEditor';
import { RuleWords } from './RuleWords';
import { appended, findingsByNode, lacks } from './tree';
import { useVocabulary } from './vocabulary';

/** Builds a new segment, or changes the rule of one. */
export function SegmentEditorPage() {
  const { key = '' } = useParams();
  // A refresh in the background must not move the tag under a change that is
  // being made: who saved in between is to be noticed.
  const query = useQuery({ ...segmentQuery(key), enabled: key !== '', refetchOnWindowFocus: false, refetchOnMount: 'always' });
  if (key === '') return <Editor key="" />;
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={480} />}>
      {(found) => <Editor key={found.etag} found={found} />}
    </Loaded>
  );
}

function keyFrom(name: string): string {
  return name
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
}

function Editor({ found }: { readonly found?: TaggedSegment }) {
  const refused = useWhyNot('define');
  const [name, setName] = useState(found?.segment.name ?? '');
  const [ownKey, setOwnKey] = useState('');
  const [description, setDescription] = useState(found?.segment.description ?? '');
  const [tree, setTree] = useState<GroupNode>(() => treeOf(found?.segment.rule));
  const [view, setView] = useState<'form' | 'json'>('form');
  const [library, setLibrary] = useState('');
  const [libraryOpen, setLibraryOpen] = useState(false);
  const [overlapWith, setOverlapWith] = useState<readonly string[]>([]);
  const vocabulary = useVocabulary();
  const navigate = useNavigate();
  const queries = useQueryClient();

  const key = found?.segment.key ?? (ownKey || keyFrom(name));
  const rule = useMemo(() => ruleOf(tree), [tree]);
  const open = useMemo(() => lacks(tree), [tree]);
  const [asked] = useDebouncedValue(rule, 350);
  const estimate = useQuery({ ...estimateQuery(asked, overlapWith), enabled: open.length === 0 && asked === rule });
  const save = useMutation({
    mutationFn: () =>
      saveSegment(
        key,
        { kind: 'dynamic', rule, ...(name.trim() ? { name: name.trim() } : {}), ...(description.trim() ? { description: description.trim() } : {}) },
        found?.etag ?? '',
      ),
    onSuccess: async () => {
      await Promise.all(
        [['segments'], ['segment', key], ['segment-count', key], ['segment-versions', key], ['segment-members', key]].map((queryKey) =>
          queries.invalidateQueries({ queryKey }),
        ),
      );
      await navigate(`/segments/${encodeURIComponent(key)}`);
    },
  });

  const faults = estimate.isError && asked === rule ? asProblem(estimate.error).findings.filter(({ location }) => location.startsWith('rule')) : [];
  const saved = save.isError ? asProblem(save.error) : undefined;
  const refusedRule = (saved?.findings ?? []).filter(({ location }) => location.startsWith('rule'));
  const findings = open.length > 0 ? open : findingsByNode(tree, faults.length > 0 ? faults : refusedRule);
  const change = (next: GroupNode) => {
    save.reset();
    setTree(next);
  };

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <PageHeader
        parent={{ to: '/segments', label: 'Segments' }}
        title={found === undefined ? 'New segment' : `Edit ${found.segment.name || found.segment.key}`}
        actions={
          <>
            <Button size="xs" variant="default" component={Link} to={found === undefined ? '/segments' : `/segments/${encodeURIComponent(key)}`}>
              Cancel
            </Button>
            <Button size="xs" type="submit" loading={save.isPending} disabled={refused !== '' || open.length > 0 || faults.length > 0 || key === ''} title={refused}>
              Save
            </Button>
          </>
        }
      />
      {save.isError && <ProblemPanel error={save.error} />}
      {saved?.status === 412 && found !== undefined && (
        <p>
          Somebody saved this segment in the meantime.{' '}
          <Button size="compact-xs" variant="subtle" onClick={() => void queries.resetQueries({ queryKey: ['segment', key] })}>
            Load their version
          </Button>{' '}
          and make your change again.
        </p>
      )}
      {saved !== undefined && saved.status === 412 && found === undefined && <p>There is a segment with this key already: choose another one.</p>}
      <div className="q-columns">
        <div className="q-stack">
          <Panel>
            <div className="q-segment-fields">
              <TextInput label="Name" placeholder="Spent 100 in a quarter" value={name} onChange={(event) => { setName(event.currentTarget.value); }} />
              <TextInput
                label="Key"
                description={found === undefined ? undefined : 'Stays as it is'}
                disabled={found !== undefined}
                value={key}
                onChange={(event) => {
                  setOwnKey(event.currentTarget.value);
                }}
              />
              <TextInput label="Description" value={description} onChange={(event) => { setDescription(event.currentTarget.value); }} />
            </div>
          </Panel>
          <Panel
            title="Who is in it"
            actions={
              <SegmentedControl
                size="xs"
                aria-label="How the rule is shown"
                value={view}
                data={[
                  { value: 'form', label: 'Conditions' },
                  { value: 'json', label: 'JSON' },
                ]}
                onChange={(value) => {
                  setView(value === 'json' ? 'json' : 'form');
                }}
              />
            }
          >
            {view === 'form' ? (
              <RuleEditor
                tree={tree}
                findings={findings}
                vocabulary={vocabulary}
                onChange={change}
                onLibrary={(group) => {
                  setLibrary(group);
                  setLibraryOpen(true);
                }}
              />
            ) : (
              <JsonView rule={rule} faults={faults} onChange={change} />
            )}
          </Panel>
        </div>
        <div className="q-stack q-sticky">
          <EstimatePanel
            estimate={estimate}
            open={open.length}
            refused={faults.length > 0}
            segments={vocabulary.segments.filter(({ value }) => value !== key)}
            overlapWith={overlapWith}
            onOverlapWith={setOverlapWith}
          />
          {tree.nodes.length > 0 && (
            <Panel title="In words">
              <RuleWords rule={rule} />
            </Panel>
          )}
        </div>
      </div>
      <FilterLibrary
        opened={libraryOpen}
        onClose={() => {
          setLibraryOpen(false);
        }}
        onAdd={(added) => {
          change(appended(tree, library, nodeOf(added)));
          setLibraryOpen(false);
        }}
      />
    </form>
  );
}

interface JsonViewProps {
  readonly rule: unknown;
  readonly faults: readonly { readonly location: string; readonly message: string }[];
  readonly onChange: (tree: GroupNode) => void;
}

function JsonView({ rule, faults, onChange }: JsonViewProps) {
  const [text, setText] = useState(() => JSON.stringify(rule, null, 2));
  return (
    <>
      <JsonInput
        aria-label="Rule as JSON"
        classNames={{ input: 'q-mono' }}
        autosize
        minRows={12}
        maxRows={40}
        validationError="Not JSON yet: the rule is as it was before"
        value={text}
        onChange={(next) => {
          setText(next);
          try {
            const tree = treeOf(JSON.parse(next));
            if (isGroup(tree)) onChange(tree);
          } catch {
            // Half-written JSON changes nothing yet; the field says so.
          }
        }}
      />
      {faults.length > 0 && (
        <ul className="q-rule-findings" role="status">
          {faults.map(({ location, message }) => (
            <li key={`${location} ${message}`}>
              <code>{location}</code> {message}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
