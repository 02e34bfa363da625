import { Group, Table } from '@mantine/core';
import { IconFileCheck, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { deleteEventSchema, eventSchemasQuery } from '../../api/quality';
import type { EventSchema } from '../../api/types';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { SchemaForm } from './SchemaForm';
import { schemaWords } from './schemaForm';

const columns: readonly Column[] = [
  { label: 'Event' },
  { label: 'What breaks it' },
  { label: 'Fields' },
  { label: 'Changed' },
  { label: 'Actions', silent: true },
];

/** What events have to look like. */
export function SchemasView() {
  const [editing, setEditing] = useState<EventSchema | 'new' | null>(null);
  const [deleting, setDeleting] = useState<EventSchema | null>(null);
  return (
    <Panel
      title="Event schemas"
      note="What an event has to look like. Fields that a schema does not name are free."
      flush
      actions={
        <ActionButton
          needs="define"
          leftSection={<IconPlus size={14} />}
          onClick={() => {
            setEditing('new');
          }}
        >
          New schema
        </ActionButton>
      }
    >
      <List
        page={eventSchemasQuery}
        columns={columns}
        rows={3}
        empty={{
          icon: <IconFileCheck size={20} />,
          title: 'No schemas yet',
          text: 'Begin by storing what breaks a schema and looking at how much it is; refuse it later.',
        }}
      >
        {(schemas) =>
          schemas.map((schema) => (
            <Table.Tr key={schema.key}>
              <Table.Td>
                <span className="q-list-title">{schema.event}</span>
                <span className="q-list-note q-mono">{schema.key}</span>
              </Table.Td>
              <Table.Td>{schema.mode === 'quarantine' ? <Tag tone="warning">goes to quarantine</Tag> : <Tag>is stored and counted</Tag>}</Table.Td>
              <Table.Td style={{ maxWidth: 380 }}>
                {schemaWords(schema.fields)}
                <span className="q-list-note q-clip">{Object.keys(schema.fields).join(', ')}</span>
              </Table.Td>
              <Table.Td className="q-list-plain">
                <Moment at={schema.updatedAt} />
                <span className="q-list-note">{schema.updatedBy}</span>
              </Table.Td>
              <Table.Td ta="right">
                <Group gap={6} justify="flex-end" wrap="nowrap">
                  <ActionButton
                    needs="define"
                    size="compact-xs"
                    variant="default"
                    onClick={() => {
                      setEditing(schema);
                    }}
                  >
                    Edit<span className="q-hidden-label"> {schema.key}</span>
                  </ActionButton>
                  <ActionButton
                    needs="define"
                    size="compact-xs"
                    variant="default"
                    onClick={() => {
                      setDeleting(schema);
                    }}
                  >
                    Delete<span className="q-hidden-label"> {schema.key}</span>
                  </ActionButton>
                </Group>
              </Table.Td>
            </Table.Tr>
          ))
        }
      </List>
      {editing !== null && (
        <SchemaForm
          {...(editing === 'new' ? {} : { schema: editing })}
          onClose={() => {
            setEditing(null);
          }}
        />
      )}
      {deleting !== null && (
        <Confirm
          title={`Delete the schema of ${deleting.event}?`}
          verb="Delete"
          run={() => deleteEventSchema(deleting.key, deleting.version)}
          refresh={[['event-schemas']]}
          onClose={() => {
            setDeleting(null);
          }}
        >
          Any event of this name is taken from then on. What is in quarantine stays there.
        </Confirm>
      )}
    </Panel>
  );
}
