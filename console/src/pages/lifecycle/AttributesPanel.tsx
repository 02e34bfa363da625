import { Table, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconMathFunction, IconPlus, IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { attributesQuery, attributesStatusQuery, catalogueQuery, deleteAttribute } from '../../api/attributes';
import type { AttributeDefinition, AttributesStatus, BuiltInAttribute } from '../../api/types';
import { count } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { EmptyState } from '../../parts/EmptyState';
import { List, Rows, type Column } from '../../parts/List';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { SkeletonRows } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { AttributeForm } from './AttributeForm';
import { definitionWords } from './attributeForm';
import './attributes.css';

const columns: readonly Column[] = [
  { label: 'Attribute' },
  { label: 'Kind' },
  { label: 'Definition' },
  { label: 'Computed' },
  { label: 'People', number: true },
  { label: 'Changed' },
  { label: 'Actions', silent: true },
];
const builtInColumns: readonly Column[] = [{ label: 'Attribute' }, { label: 'Meaning' }, { label: 'Type' }, { label: 'Segments and decisions' }];

/** What is computed of each person: one's own attributes, and those that are always there. */
export function AttributesPanel() {
  const catalogue = useQuery(catalogueQuery);
  const status = useQuery(attributesStatusQuery);
  const [editing, setEditing] = useState<AttributeDefinition | 'new' | null>(null);
  const [deleting, setDeleting] = useState<AttributeDefinition | null>(null);
  return (
    <div className="q-lifecycle">
      <Panel
        title="Attributes of your own"
        note="Defined here or by the API. Segments, decisions and SQL read them by their key. Counters follow each event at once, the others each run."
        flush
        actions={
          <ActionButton
            needs="define"
            leftSection={<IconPlus size={14} />}
            onClick={() => {
              setEditing('new');
            }}
          >
            New attribute
          </ActionButton>
        }
      >
        <List
          page={attributesQuery}
          columns={columns}
          minWidth={760}
          rows={3}
          empty={{
            icon: <IconMathFunction size={20} />,
            title: 'None yet',
            text: 'Count events, add up a property, or write SQL that gives one value for each person.',
          }}
        >
          {(attributes) =>
            attributes.map((attribute) => (
              <OwnRow key={attribute.key} attribute={attribute} status={status.data ?? null} onEdit={setEditing} onDelete={setDeleting} />
            ))
          }
        </List>
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
        <Confirm
          title={`Delete ${deleting.key}?`}
          verb="Delete"
          run={() => deleteAttribute(deleting.key)}
          refresh={[['attributes']]}
          onClose={() => {
            setDeleting(null);
          }}
        >
          Its values go from everybody with the next run. Segments and decisions that read it find nothing from then on.
        </Confirm>
      )}
    </div>
  );
}

interface OwnRowProps {
  readonly attribute: AttributeDefinition;
  readonly status: AttributesStatus | null;
  readonly onEdit: (attribute: AttributeDefinition) => void;
  readonly onDelete: (attribute: AttributeDefinition) => void;
}

function OwnRow({ attribute, status, onEdit, onDelete }: OwnRowProps) {
  const run = status?.attributes.find((each) => each.key === attribute.key);
  return (
    <Table.Tr>
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
        <ActionButton
          needs="define"
          size="compact-xs"
          variant="default"
          mr={6}
          onClick={() => {
            onEdit(attribute);
          }}
        >
          Edit<span className="q-hidden-label"> {attribute.key}</span>
        </ActionButton>
        <ActionButton
          needs="define"
          size="compact-xs"
          variant="default"
          onClick={() => {
            onDelete(attribute);
          }}
        >
          Delete<span className="q-hidden-label"> {attribute.key}</span>
        </ActionButton>
      </Table.Td>
    </Table.Tr>
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
        <Rows columns={builtInColumns} minWidth={560}>
            {shown.map((attribute) => (
              <Table.Tr key={attribute.key}>
                <Table.Td className="q-mono">{attribute.key}</Table.Td>
                <Table.Td>{attribute.description}</Table.Td>
                <Table.Td className="q-muted">{attribute.type}</Table.Td>
                <Table.Td className="q-list-plain">{attribute.inMemory ? 'read it' : <span className="q-muted">profile page and SQL only</span>}</Table.Td>
              </Table.Tr>
            ))}
        </Rows>
      )}
    </>
  );
}
