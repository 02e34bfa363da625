import { Button, Group, MultiSelect, NativeSelect, Stack, Switch, Text, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { flagDeliveryQuery, flagQuery, saveFlag } from '../../api/flags';
import { holdoutsQuery } from '../../api/holdouts';
import { useWhyNot } from '../../api/may';
import { asProblem, Problem } from '../../api/problem';
import type { Flag } from '../../api/types';
import { messageAt, unplaced } from '../../parts/findings';
import { Loaded } from '../../parts/Loaded';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { keyOf } from '../experiments/draft';
import { emptyFlag, faultsOf, flagOf, flagTypes, textOf, valueOf, type FlagText, type RuleText } from './form';
import { RuleFields } from './RuleFields';
import './flags.css';

/** One flag: its value, and the rules that give another one to some. */
export function FlagPage() {
  const { key = '' } = useParams();
  const query = useQuery({ ...flagQuery(key), enabled: key !== 'new', refetchOnWindowFocus: false });
  if (key === 'new') return <Editor key="new" />;
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={420} />}>
      {(flag) => <Editor key={`${flag.key} ${flag.version.toString()}`} flag={flag} />}
    </Loaded>
  );
}

function Editor({ flag }: { readonly flag?: Flag }) {
  const before = flag === undefined ? emptyFlag : textOf(flag);
  const [text, setText] = useState<FlagText>(before);
  const [ownKey, setOwnKey] = useState('');
  const refused = useWhyNot('define');
  const holdouts = useQuery(holdoutsQuery());
  const queries = useQueryClient();
  const navigate = useNavigate();
  const key = flag?.key ?? (ownKey === '' ? keyOf(text.name) : ownKey);
  const fallback = valueOf(text.fallback, text.type);
  const faults = text.rules.flatMap((rule) => faultsOf(rule, text.type));
  const save = useMutation({
    mutationFn: () => saveFlag(key, flagOf(text), flag?.version ?? null),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['flags'] });
      await navigate(`/feature-flags/${encodeURIComponent(key)}`, { replace: true });
    },
  });
  const problem = save.isError ? asProblem(save.error) : null;
  const findings = problem?.findings ?? [];
  const rest = unplaced(findings, ['key', 'name', 'default']);
  const set = (change: Partial<FlagText>) => {
    setText({ ...text, ...change });
  };
  const setRule = (index: number, rule: RuleText) => {
    set({ rules: text.rules.map((each, at) => (at === index ? rule : each)) });
  };
  const move = (index: number, by: number) => {
    const rules = [...text.rules];
    const [rule] = rules.splice(index, 1);
    if (rule !== undefined) rules.splice(index + by, 0, rule);
    set({ rules });
  };
  return (
    <>
      <PageHeader
        parent={{ to: '/feature-flags', label: 'Flags' }}
        title={flag === undefined ? 'New flag' : (flag.name ?? flag.key)}
        badges={flag !== undefined && (flag.enabled === false ? <Tag tone="quiet">off</Tag> : <Tag tone="better">on</Tag>)}
        note={flag === undefined ? undefined : `${flag.key}, version ${flag.version.toString()}`}
      />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <div className="q-stack">
          {problem !== null && (findings.length === 0 || rest.length > 0) && <ProblemPanel error={new Problem(problem.status, problem.title, problem.detail, rest)} />}
          <div className="q-columns">
            <Panel title="What it is">
              <Stack gap="sm">
                <TextInput label="Name" value={text.name} error={messageAt(findings, 'name') || null} onChange={(event) => { set({ name: event.currentTarget.value }); }} />
                {flag === undefined && <TextInput label="Key" description="What software asks for" value={key} error={messageAt(findings, 'key') || null} onChange={(event) => { setOwnKey(keyOf(event.currentTarget.value)); }} />}
                <Textarea label="Description" autosize minRows={2} value={text.description} onChange={(event) => { set({ description: event.currentTarget.value }); }} />
              </Stack>
            </Panel>
            <Panel title="For everybody">
              <Stack gap="sm">
                <Switch label="Switched on" description="Off, software takes the value in its own code" checked={text.enabled} onChange={(event) => { set({ enabled: event.currentTarget.checked }); }} />
                <NativeSelect
                  label="Its value is"
                  disabled={flag !== undefined}
                  data={[...flagTypes]}
                  value={text.type}
                  onChange={(event) => {
                    const type = flagTypes.find(({ value }) => value === event.currentTarget.value)?.value ?? 'boolean';
                    set({ type, fallback: type === 'boolean' ? 'false' : type === 'number' ? '0' : type === 'json' ? '{}' : '' });
                  }}
                />
                <ValueField label="Value of whom no rule is for" type={text.type} value={text.fallback} error={'wrong' in fallback ? fallback.wrong : messageAt(findings, 'default')} onChange={(value) => { set({ fallback: value }); }} />
                <MultiSelect label="Holdouts that it respects" data={(holdouts.data?.items ?? []).map((holdout) => ({ value: holdout.key, label: holdout.name ?? holdout.key }))} value={[...text.holdouts]} onChange={(value) => { set({ holdouts: value }); }} />
              </Stack>
            </Panel>
          </div>
          <Panel
            title="Rules"
            note="The first one that applies to somebody gives the value."
            actions={
              <Button size="xs" variant="default" leftSection={<IconPlus size={14} />} onClick={() => { set({ rules: [...text.rules, { key: `rule-${(text.rules.length + 1).toString()}`, name: '', condition: '', kind: 'value', value: text.type === 'boolean' ? 'true' : '', coveragePercent: 100, experiment: '', values: {}, rest: {} }] }); }}>
                Rule
              </Button>
            }
          >
            {text.rules.length === 0 && <p className="q-muted">Everybody gets the value above.</p>}
            {text.rules.map((rule, index) => (
              <RuleFields
                key={index}
                rule={rule}
                index={index}
                type={text.type}
                last={index === text.rules.length - 1}
                onChange={(changed) => {
                  setRule(index, changed);
                }}
                onMove={(by) => {
                  move(index, by);
                }}
                onRemove={() => {
                  set({ rules: text.rules.filter((_, at) => at !== index) });
                }}
              />
            ))}
          </Panel>
          {flag !== undefined && <Delivery flag={flag.key} />}
          <Group justify="space-between">
            <Text size="sm" c="dimmed">
              {refused || faults[0]}
            </Text>
            <Button type="submit" loading={save.isPending} disabled={refused !== '' || key === '' || 'wrong' in fallback || faults.length > 0 || (flag !== undefined && JSON.stringify(text) === JSON.stringify(before))}>
              {flag === undefined ? 'Create flag' : 'Save flag'}
            </Button>
          </Group>
        </div>
      </form>
    </>
  );
}

interface ValueFieldProps {
  readonly label: string;
  readonly type: FlagText['type'];
  readonly value: string;
  readonly error?: string;
  readonly onChange: (value: string) => void;
}

/** A field for a value of the flag's type. */
export function ValueField({ label, type, value, error = '', onChange }: ValueFieldProps) {
  if (type === 'boolean') return <NativeSelect label={label} data={['true', 'false']} value={value} onChange={(event) => { onChange(event.currentTarget.value); }} />;
  if (type === 'json') {
    return <Textarea label={label} autosize minRows={2} spellCheck={false} styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.78125rem' } }} value={value} error={error || null} onChange={(event) => { onChange(event.currentTarget.value); }} />;
  }
  return <TextInput label={label} inputMode={type === 'number' ? 'decimal' : 'text'} value={value} error={error || null} onChange={(event) => { onChange(event.currentTarget.value); }} />;
}

function Delivery({ flag }: { readonly flag: string }) {
  const query = useQuery(flagDeliveryQuery(flag));
  return (
    <Panel title="How it reaches software">
      <Loaded query={query} skeleton={<SkeletonBlock height={50} />}>
        {(delivery) => (
          <>
            <p className="q-flag-delivery">
              {delivery.local ? 'SDKs evaluate it by themselves, and the server does for whoever asks it.' : 'The server evaluates it: SDKs have to ask.'}
            </p>
            {delivery.why.length > 0 && (
              <ul className="q-problem-findings">
                {delivery.why.map((why) => (
                  <li key={why}>{why}</li>
                ))}
              </ul>
            )}
          </>
        )}
      </Loaded>
    </Panel>
  );
}
