import { ActionIcon, Button, Checkbox, Group, NativeSelect, NumberInput, Stack, Table, TagsInput, Text, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconArrowDown, IconArrowUp, IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { identityRulesQuery, setIdentityRules } from '../../api/identityRules';
import { useMay } from '../../api/may';
import { asProblem, Problem, type Finding } from '../../api/problem';
import type { IdentityRules } from '../../api/types';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import '../../parts/list-table.css';
import { messageAt, unplaced } from '../../parts/findings';
import { moved, periods, rulesOf, textOf, type NamespaceText, type RulesText } from './identityForm';
import './settings.css';

/** By which identifiers two profiles are one person. */
export function IdentitySettings() {
  const query = useQuery(identityRulesQuery);
  return (
    <Panel
      title="Identity rules"
      note="Which identifiers join profiles into one person, the most trusted first. They hold for what comes in from now on; what was decided under the old ones stands."
    >
      <Loaded query={query} skeleton={<SkeletonBlock height={360} />}>
        {(rules) => <RulesForm key={rules.version} rules={rules} />}
      </Loaded>
    </Panel>
  );
}

function RulesForm({ rules }: { readonly rules: IdentityRules }) {
  const queries = useQueryClient();
  const may = useMay('define');
  const before = textOf(rules);
  const [text, setText] = useState<RulesText>(before);
  const save = useMutation({
    mutationFn: () => setIdentityRules(rulesOf(text)),
    onSuccess: () => queries.invalidateQueries({ queryKey: identityRulesQuery.queryKey }),
  });
  const changed = JSON.stringify(text) !== JSON.stringify(before);
  const problem = save.isError ? asProblem(save.error) : null;
  const findings = problem?.findings ?? [];
  const elsewhere = unplaced(findings, ['sharedDeviceUsers', 'phoneRegion', 'blocked', ...text.namespaces.flatMap((_, index) => ['namespace', 'limit', 'period'].map((part) => `namespaces[${index.toString()}].${part}`))]);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <Stack gap="md">
        {problem !== null && (findings.length === 0 || elsewhere.length > 0) && <ProblemPanel error={new Problem(problem.status, problem.title, problem.detail, elsewhere)} />}
        <Namespaces
          rows={text.namespaces}
          findings={findings}
          disabled={!may}
          onChange={(namespaces) => {
            setText({ ...text, namespaces });
          }}
        />
        <Group gap="md" align="flex-start" grow preventGrowOverflow={false}>
          <NumberInput
            label="Users of one device"
            description="With more known users an anonymousId is a shared device and joins nobody"
            min={1}
            max={100}
            allowDecimal={false}
            disabled={!may}
            value={text.sharedDeviceUsers}
            error={messageAt(findings, 'sharedDeviceUsers') || null}
            onChange={(sharedDeviceUsers) => {
              setText({ ...text, sharedDeviceUsers });
            }}
          />
          <TextInput
            label="Country of phone numbers"
            description="For those without a country code; they stay as they are when it is empty"
            placeholder="DE"
            maxLength={2}
            disabled={!may}
            value={text.phoneRegion}
            error={messageAt(findings, 'phoneRegion') || null}
            onChange={(event) => {
              setText({ ...text, phoneRegion: event.currentTarget.value });
            }}
          />
        </Group>
        <Textarea
          className="q-rules-blocked"
          label="Values that stand for nobody"
          description="In any namespace, one a line; * at either end stands for any text. Zeros and dashes alone are always blocked."
          autosize
          minRows={4}
          maxRows={14}
          disabled={!may}
          value={text.blocked}
          error={messageAt(findings, 'blocked') || null}
          onChange={(event) => {
            setText({ ...text, blocked: event.currentTarget.value });
          }}
        />
        <Group justify="space-between" gap="sm">
          <Text size="sm" c="dimmed">
            {rules.version === 0 ? (
              'These are the rules of a new installation.'
            ) : (
              <>
                Version {rules.version}, changed <Moment at={rules.updatedAt} />
                {rules.updatedBy !== undefined && rules.updatedBy !== '' && ` by ${rules.updatedBy}`}
              </>
            )}
          </Text>
          {may && (
            <Group gap="xs">
              {changed && (
                <Button
                  variant="default"
                  onClick={() => {
                    setText(before);
                    save.reset();
                  }}
                >
                  Undo changes
                </Button>
              )}
              <Button type="submit" disabled={!changed} loading={save.isPending}>
                Save rules
              </Button>
            </Group>
          )}
        </Group>
      </Stack>
    </form>
  );
}

interface NamespacesProps {
  readonly rows: readonly NamespaceText[];
  readonly findings: readonly Finding[];
  readonly disabled: boolean;
  readonly onChange: (rows: readonly NamespaceText[]) => void;
}

function Namespaces({ rows, findings, disabled, onChange }: NamespacesProps) {
  const set = (index: number, change: Partial<NamespaceText>) => {
    onChange(rows.map((row, at) => (at === index ? { ...row, ...change } : row)));
  };
  return (
    <div>
      <Table.ScrollContainer minWidth={820}>
        <Table className="q-list" verticalSpacing={5}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Namespace</Table.Th>
              <Table.Th>Of one person at most</Table.Th>
              <Table.Th title="Two people who each have a value are never joined by a rule">Keeps apart</Table.Th>
              <Table.Th title="Seen with two known people by a trusted source, it joins them">Joins</Table.Th>
              <Table.Th>Stand for nobody</Table.Th>
              <Table.Th>
                <span className="q-hidden-label">Order</span>
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row, index) => {
              const at = `namespaces[${index.toString()}]`;
              const name = row.namespace === '' ? `namespace ${(index + 1).toString()}` : row.namespace;
              return (
                <Table.Tr key={index}>
                  <Table.Td>
                    <TextInput
                      size="xs"
                      aria-label={`Name of namespace ${(index + 1).toString()}`}
                      disabled={disabled}
                      value={row.namespace}
                      error={messageAt(findings, `${at}.namespace`) || null}
                      onChange={(event) => {
                        set(index, { namespace: event.currentTarget.value });
                      }}
                    />
                  </Table.Td>
                  <Table.Td>
                    <Group gap={6} wrap="nowrap" align="flex-start">
                      <NumberInput
                        size="xs"
                        w={76}
                        aria-label={`Limit of ${name}`}
                        min={1}
                        max={250}
                        allowDecimal={false}
                        disabled={disabled}
                        value={row.limit}
                        error={messageAt(findings, `${at}.limit`) || null}
                        onChange={(limit) => {
                          set(index, { limit });
                        }}
                      />
                      <NativeSelect
                        size="xs"
                        w={104}
                        aria-label={`Period of ${name}`}
                        disabled={disabled}
                        data={periods.map((period) => ({ value: period, label: period === 'ever' ? 'ever' : `in a ${period}` }))}
                        value={row.period}
                        error={messageAt(findings, `${at}.period`) || null}
                        onChange={(event) => {
                          set(index, { period: periods.find((each) => each === event.currentTarget.value) ?? 'ever' });
                        }}
                      />
                    </Group>
                  </Table.Td>
                  <Table.Td>
                    <Checkbox
                      size="xs"
                      aria-label={`${name} keeps people apart`}
                      disabled={disabled}
                      checked={row.unique}
                      onChange={(event) => {
                        set(index, { unique: event.currentTarget.checked });
                      }}
                    />
                  </Table.Td>
                  <Table.Td>
                    <Checkbox
                      size="xs"
                      aria-label={`${name} joins people`}
                      disabled={disabled}
                      checked={row.joins}
                      onChange={(event) => {
                        set(index, { joins: event.currentTarget.checked });
                      }}
                    />
                  </Table.Td>
                  <Table.Td>
                    <TagsInput
                      size="xs"
                      miw={150}
                      aria-label={`Values of ${name} that stand for nobody`}
                      placeholder={row.blocked.length === 0 ? 'none' : ''}
                      disabled={disabled}
                      value={[...row.blocked]}
                      onChange={(blocked) => {
                        set(index, { blocked });
                      }}
                    />
                  </Table.Td>
                  <Table.Td ta="right">
                    {!disabled && (
                      <div className="q-rule-order">
                        <ActionIcon
                          variant="subtle"
                          color="gray"
                          size={28}
                          disabled={index === 0}
                          aria-label={`Trust ${name} more`}
                          onClick={() => {
                            onChange(moved(rows, index, index - 1));
                          }}
                        >
                          <IconArrowUp size={14} />
                        </ActionIcon>
                        <ActionIcon
                          variant="subtle"
                          color="gray"
                          size={28}
                          disabled={index === rows.length - 1}
                          aria-label={`Trust ${name} less`}
                          onClick={() => {
                            onChange(moved(rows, index, index + 1));
                          }}
                        >
                          <IconArrowDown size={14} />
                        </ActionIcon>
                        <ActionIcon
                          variant="subtle"
                          color="gray"
                          size={28}
                          aria-label={`Remove ${name}`}
                          onClick={() => {
                            onChange(rows.filter((_, other) => other !== index));
                          }}
                        >
                          <IconX size={14} />
                        </ActionIcon>
                      </div>
                    )}
                  </Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {!disabled && (
        <Button
          size="compact-xs"
          variant="default"
          mt={6}
          leftSection={<IconPlus size={12} />}
          disabled={rows.length >= 11}
          onClick={() => {
            onChange([...rows, { namespace: '', limit: 5, period: 'ever', unique: false, joins: false, blocked: [] }]);
          }}
        >
          Namespace
        </Button>
      )}
    </div>
  );
}
