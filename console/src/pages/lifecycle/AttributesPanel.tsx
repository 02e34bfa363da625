import { Button, Group, Modal, Table, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconMathFunction, IconPlus, IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { attributesQuery, attributesStatusQuery, catalogueQuery, deleteAttribute } from '../../api/attributes';
import { mayDefine } from '../../api/may';
import { sessionQuery } from '../../api/session';
import type { AttributeDefinition, AttributesStatus, BuiltInAttribute } from '../../api/types';
import { count } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonRows } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import { AttributeForm } from './AttributeForm';
import { definitionWords } from './attributeForm';
import './attributes.css';

/** What is computed of each person: one's own attributes, and those that are always there. */
export function AttributesPanel() {
  const definitions = useQuery(attributesQuery);
  const catalogue = useQuery(catalogueQuery);
  const status = useQuery(attributesStatusQuery);
  const session = useQuery(sessionQuery);
  const [editing, setEditing] = useState<AttributeDefinition | 'new' | null>(null);
  const [deleting, setDeleting] = useState<AttributeDefinition | null>(null);
  const may = mayDefine(session.data);
  return (
    <div className="q-lifecycle">
      <Panel
        title="Attributes of your own"
        note="Defined here or by the API. Segments, decisions and SQL read them by their key. Counters follow each event at once, the others each run."
        flush
        actions={
          may && (
            <Button
              size="xs"
              leftSection={<IconPlus size={14} />}
              onClick={() => {
                setEditing('new');
              }}
            >
              New attribute
            </Button>
          )
        }
      >
        <Loaded query={definitions} skeleton={<SkeletonRows rows={3} />}>
          {(data) =>
            data.items.length === 0 ? (
              <EmptyState icon={<IconMathFunction size={20} />} title="None yet">
                Count events, add up a property, or write SQL that gives one value for each person.
              </EmptyState>
            ) : (
              <OwnTable attributes={data.items} status={status.data ?? null} may={may} onEdit={setEditing} onDelete={setDeleting} />
            )
          }
        </Loaded>
      </Panel>
      <Panel title="Always computed" note="Of everybody, in each run. An attribute that makes no sense for a person, such as the last order of somebody who never ordered, is not there." flush>
        <Loaded query={catalogue} skeleton={<SkeletonRows rows={10} />}>
          {(data) => <BuiltInTable attributes={data.items} />}
        </Loaded>
      </Panel>
      {editing !== null && (
        <AttributeForm
          {...(editing === 'new' ? {} : { attribute: editing })}
          onClose={() => {
            setEditing(null);
          }}
        />
      )}
      {deleting !== null && (
        <DeleteAttribute
          attribute={deleting}
          onClose={() => {
            setDeleting(null);
          }}
        />
      )}
    </div>
  );
}

interface OwnTableProps {
  readonly attributes: readonly AttributeDefinition[];
  readonly status: AttributesStatus | null;
  readonly may: boolean;
  readonly onEdit: (attribute: AttributeDefinition) => void;
  readonly onDelete: (attribute: AttributeDefinition) => void;
}

function OwnTable({ attributes, status, may, onEdit, onDelete }: OwnTableProps) {
  return (
    <Table className="q-list" verticalSpacing={8}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Attribute</Table.Th>
          <Table.Th>Kind</Table.Th>
          <Table.Th>Definition</Table.Th>
          <Table.Th>Computed</Table.Th>
          <Table.Th className="q-number">People</Table.Th>
          <Table.Th>Changed</Table.Th>
          <Table.Th>
            <span className="q-hidden-label">Actions</span>
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {attributes.map((attribute) => {
          const run = status?.attributes.find((each) => each.key === attribute.key);
          return (
            <Table.Tr key={attribute.key}>
              <Table.Td>
                <span className="q-list-title">{attribute.name ?? attribute.key}</span>
                <span className="q-list-note q-mono">{attribute.key}</span>
              </Table.Td>
              <Table.Td>
                <Tag>{attribute.kind}</Tag>
                {attribute.paused === true && <Tag tone="warning">paused</Tag>}
              </Table.Td>
              <Table.Td style={{ maxWidth: 380 }}>
                {attribute.kind === 'sql' ? <code className="q-attribute-sql">{attribute.sql}</code> : definitionWords(attribute)}
                {attribute.description !== undefined && <span className="q-list-note">{attribute.description}</span>}
                {run?.error !== undefined && run.error !== '' && (
                  <span className="q-list-note">
                    <Tag tone="worse">failed</Tag> {run.error}
                  </span>
                )}
              </Table.Td>
              <Table.Td className="q-list-plain">
                {run === undefined ? <span className="q-muted">in the next run</span> : attribute.kind === 'counter' ? 'at each event' : <Moment at={status?.computedAt} as="ago" />}
              </Table.Td>
              <Table.Td className="q-number">{count(run?.people)}</Table.Td>
              <Table.Td className="q-list-plain">
                <Moment at={attribute.updatedAt} />
                <span className="q-list-note">{attribute.updatedBy}</span>
              </Table.Td>
              <Table.Td ta="right" className="q-list-plain">
                {may && (
                  <>
                    <Button
                      size="compact-xs"
                      variant="default"
                      mr={6}
                      onClick={() => {
                        onEdit(attribute);
                      }}
                    >
                      Edit<span className="q-hidden-label"> {attribute.key}</span>
                    </Button>
                    <Button
                      size="compact-xs"
                      variant="default"
                      onClick={() => {
                        onDelete(attribute);
                      }}
                    >
                      Delete<span className="q-hidden-label"> {attribute.key}</span>
                    </Button>
                  </>
                )}
              </Table.Td>
            </Table.Tr>
          );
        })}
      </Table.Tbody>
    </Table>
  );
}

function BuiltInTable({ attributes }: { readonly attributes: readonly BuiltInAttribute[] }) {
  const [text, setText] = useState('');
  const wanted = text.trim().toLowerCase();
  const shown = attributes.filter(({ key, description }) => `${key} ${description}`.toLowerCase().includes(wanted));
  return (
    <>
      <TextInput
        mx={16}
        my={8}
        maw={320}
        size="xs"
        aria-label="Search attributes"
        placeholder="Name or meaning"
        leftSection={<IconSearch size={14} />}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
        }}
      />
      {shown.length === 0 ? (
        <EmptyState icon={<IconSearch size={20} />} title="No attribute is called so" />
      ) : (
        <Table className="q-list">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Attribute</Table.Th>
              <Table.Th>Meaning</Table.Th>
              <Table.Th>Type</Table.Th>
              <Table.Th>Segments and decisions</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((attribute) => (
              <Table.Tr key={attribute.key}>
                <Table.Td className="q-mono">{attribute.key}</Table.Td>
                <Table.Td>{attribute.description}</Table.Td>
                <Table.Td className="q-muted">{attribute.type}</Table.Td>
                <Table.Td className="q-list-plain">{attribute.inMemory ? 'read it' : <span className="q-muted">profile page and SQL only</span>}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </>
  );
}

interface DeleteAttributeProps {
  readonly attribute: AttributeDefinition;
  readonly onClose: () => void;
}

function DeleteAttribute({ attribute, onClose }: DeleteAttributeProps) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => deleteAttribute(attribute.key),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['attributes'] });
      onClose();
    },
  });
  return (
    <Modal opened onClose={onClose} title={`Delete ${attribute.key}?`}>
      <Text mb="md">Its values go from everybody with the next run. Segments and decisions that read it find nothing from then on.</Text>
      {remove.isError && <ProblemPanel error={remove.error} />}
      <Group justify="flex-end" gap="xs" mt="md">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <Button
          color="red"
          loading={remove.isPending}
          onClick={() => {
            remove.mutate();
          }}
        >
          Delete
        </Button>
      </Group>
    </Modal>
  );
}
