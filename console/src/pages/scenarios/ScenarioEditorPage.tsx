import { Button, Group, NumberInput, Select, TagsInput, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { Link, useLocation, useNavigate, useParams } from 'react-router';
import { useWhyNot } from '../../api/may';
import { asProblem } from '../../api/problem';
import { saveScenario, scenarioQuery } from '../../api/scenarios';
import type { Scenario, ScenarioBody, ScenarioNode } from '../../api/types';
import { Loaded } from '../../parts/Loaded';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { ConsentFields, type Basis } from '../campaigns/ConsentFields';
import { useChoices } from '../campaigns/useChoices';
import { keyFrom } from '../campaigns/words';
import { added, blank, faultyNode } from './graph';
import { GraphView } from './GraphView';
import { NodeFields } from './NodeFields';

/** Makes a scenario, of a template or from nothing, or changes one. */
export function ScenarioEditorPage() {
  const { key = '' } = useParams();
  const query = useQuery({ ...scenarioQuery(key), enabled: key !== '', refetchOnWindowFocus: false, refetchOnMount: 'always' });
  const { state } = useLocation() as { state: { filled?: ScenarioBody } | null };
  if (key === '') return <Editor begin={state?.filled ?? blank} />;
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={640} />}>
      {({ scenario, etag }) => <Editor key={etag} begin={bodyOf(scenario)} saved={scenario.key} etag={etag} />}
    </Loaded>
  );
}

/** A scenario without what the service adds to it. */
function bodyOf({ key: _key, version: _version, createdAt: _made, updatedAt: _changed, updatedBy: _by, ...body }: Scenario): ScenarioBody {
  return body;
}

interface EditorProps {
  readonly begin: ScenarioBody;
  readonly saved?: string;
  readonly etag?: string;
}

function Editor({ begin, saved = '', etag = '' }: EditorProps) {
  const refused = useWhyNot('define');
  const choices = useChoices();
  const [body, setBody] = useState(begin);
  const [ownKey, setOwnKey] = useState('');
  const [selected, setSelected] = useState('trigger');
  const navigate = useNavigate();
  const queries = useQueryClient();
  const key = saved || ownKey || keyFrom(body.name ?? '');
  const nodes = body.nodes ?? [];
  const save = useMutation({
    mutationFn: () => saveScenario(key, body, etag),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['scenarios'] });
      await navigate(`/scenarios/${encodeURIComponent(key)}`);
    },
  });
  const set = (change: Partial<ScenarioBody>) => {
    save.reset();
    setBody((was) => ({ ...was, ...change }));
  };
  const setNodes = (next: readonly ScenarioNode[]) => {
    set({ nodes: [...next] });
  };
  const faults = useMemo(() => {
    const findings = save.isError ? asProblem(save.error).findings : [];
    return new Set(findings.flatMap(({ location }) => nodes[faultyNode(location) ?? -1]?.id ?? []));
  }, [save.isError, save.error, nodes]);
  const chosen = nodes.find(({ id }) => id === selected);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <PageHeader
        parent={{ to: '/scenarios', label: 'Scenarios' }}
        title={saved === '' ? 'New scenario' : `Edit ${body.name ?? saved}`}
        note={saved === '' ? undefined : 'Who is on their way goes on by the version at which they came in.'}
        actions={
          <>
            <Button size="xs" variant="default" component={Link} to={saved === '' ? '/scenarios' : `/scenarios/${encodeURIComponent(saved)}`}>
              Cancel
            </Button>
            <Button size="xs" type="submit" loading={save.isPending} disabled={refused !== '' || key === ''} title={refused}>
              Save
            </Button>
          </>
        }
      />
      {save.isError && <ProblemPanel error={save.error} />}
      <div className="q-columns">
        <Panel
          title="Graph"
          note="Drag from the dot below a node to the one that follows. Delete removes what is chosen."
          actions={
            <Group gap={4}>
              {(['wait', 'branch', 'decide', 'exit'] as const).map((type) => (
                <Button
                  key={type}
                  size="compact-xs"
                  variant="default"
                  onClick={() => {
                    const next = added(nodes, type);
                    setNodes(next);
                    setSelected(next.at(-1)?.id ?? '');
                  }}
                >
                  + {type}
                </Button>
              ))}
            </Group>
          }
        >
          <GraphView nodes={nodes} selected={selected} faults={faults} onSelect={setSelected} onChange={setNodes} />
        </Panel>
        <div className="q-stack">
          <Panel title={chosen === undefined ? 'No node is chosen' : `${chosen.type}: ${chosen.id}`}>
            {chosen === undefined ? (
              <p className="q-muted">Choose a node of the graph to see what it does.</p>
            ) : (
              <NodeFields
                key={chosen.id}
                node={chosen}
                nodes={nodes}
                points={choices.points}
                segments={choices.segments}
                onChange={(node) => { setNodes(nodes.map((one) => (one.id === node.id ? node : one))); }}
              />
            )}
          </Panel>
          <Panel title="Scenario">
            <div className="q-stack">
              <TextInput label="Name" value={body.name ?? ''} onChange={(event) => { set({ name: event.currentTarget.value }); }} />
              <TextInput label="Key" disabled={saved !== ''} value={key} onChange={(event) => { setOwnKey(event.currentTarget.value); }} />
              <ConsentFields
                value={{ basis: body.consent.basis, purpose: body.consent.purpose ?? '' }}
                purposes={choices.purposes}
                onChange={({ basis = body.consent.basis, purpose = body.consent.purpose ?? '' }) => {
                  set({ consent: { basis: basis as Basis, ...(purpose === '' || basis === 'service' ? {} : { purpose }) } });
                }}
              />
              <Select
                label="Coming in again"
                allowDeselect={false}
                data={[
                  { value: 'never', label: 'Never: once in a life' },
                  { value: 'after-exit', label: 'After the run before has ended' },
                  { value: 'always', label: 'Always, also beside a run' },
                ]}
                value={body.reEntry?.mode ?? 'after-exit'}
                onChange={(mode) => { set({ reEntry: { ...body.reEntry, mode: (mode ?? 'after-exit') as 'never' | 'after-exit' | 'always' } }); }}
              />
              <NumberInput label="Not within hours of the last time" min={0} value={body.reEntry?.hours ?? 0} onChange={(hours) => { set({ reEntry: { ...body.reEntry, hours: Number(hours) } }); }} />
              <TagsInput label="Ends at once with the events" value={body.exitOn ?? []} onChange={(exitOn) => { set({ exitOn }); }} />
            </div>
          </Panel>
        </div>
      </div>
    </form>
  );
}
