import { Table } from '@mantine/core';
import { IconColumns } from '@tabler/icons-react';
import { fieldsQuery } from '../../api/quality';
import type { FieldQuality } from '../../api/types';
import { count, percent, significant } from '../../format/number';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Tag } from '../../parts/Tag';
import { scalarText } from '../../parts/scalar';
import { formatWords, personalReasons, typeWords } from './words';

const columns: readonly Column[] = [
  { label: 'Event' },
  { label: 'Field' },
  { label: 'Filled', number: true },
  { label: 'Valid', number: true },
  { label: 'Types' },
  { label: 'Different values', number: true },
  { label: 'First seen' },
  { label: 'Last seen' },
];

/** What was seen of each field; it needs a key of its event. */
export function FieldsList({ source, event }: { readonly source: string; readonly event: string }) {
  const shown = event === '' ? columns : [...columns, { label: 'Example' }];
  return (
    <List
      page={(offset) => fieldsQuery(source, event, Number(offset))}
      columns={shown}
      minWidth={980}
      rows={8}
      empty={{ icon: <IconColumns size={20} />, title: 'No fields yet', text: 'They are counted while events are stored, a few seconds behind.' }}
    >
      {(fields) =>
        fields.map((field, index) => (
          <FieldRow key={`${field.event} ${field.field}`} field={field} example={event !== ''} repeated={fields[index - 1]?.event === field.event} />
        ))
      }
    </List>
  );
}

interface FieldRowProps {
  readonly field: FieldQuality;
  readonly example: boolean;
  /** The row above is about the same event. */
  readonly repeated: boolean;
}

function FieldRow({ field, example, repeated }: FieldRowProps) {
  const formats = formatWords(field);
  return (
    <Table.Tr>
      <Table.Td className={repeated ? 'q-faint' : ''}>
        {field.event}
        {!repeated && <span className="q-list-note">{count(field.events)} events</span>}
      </Table.Td>
      <Table.Td>
        <span className="q-mono">{field.field}</span>
        {field.personal && (
          <>
            {' '}
            <Tag tone="accent" title={field.personalWhy === undefined ? 'Personal data' : personalReasons[field.personalWhy]}>
              personal
            </Tag>
          </>
        )}
      </Table.Td>
      <Table.Td className="q-number">
        <Share share={field.fillRate} label={`${field.field} is filled`} low={0} />
      </Table.Td>
      <Table.Td className="q-number">
        {field.validity === null ? <span className="q-faint">–</span> : <Share share={field.validity} label={`${field.field} is valid`} low={0.95} />}
        {field.declared && <span className="q-list-note">by declaration</span>}
      </Table.Td>
      <Table.Td>
        {typeWords(field.types)}
        {formats !== '' && <span className="q-list-note">{formats}</span>}
        {field.min !== undefined && field.max !== undefined && (
          <span className="q-list-note">
            {significant(field.min)} to {significant(field.max)}
          </span>
        )}
      </Table.Td>
      <Table.Td className="q-number" title="Estimated, with a standard error of 3.3%">
        {count(field.distinct)}
      </Table.Td>
      <Table.Td className="q-list-plain">
        <Moment at={field.firstSeen} />
      </Table.Td>
      <Table.Td className="q-list-plain">
        <Moment at={field.lastSeen} as="ago" />
      </Table.Td>
      {example && (
        <Table.Td className="q-mono">
          <div className="q-clip" style={{ maxWidth: 220 }} title={scalarText(field.example)}>
            {field.example === undefined ? <span className="q-faint">–</span> : scalarText(field.example)}
          </div>
        </Table.Td>
      )}
    </Table.Tr>
  );
}

/** A share as figure and bar; below the low mark it is marked as poor. */
function Share({ share, label, low }: { readonly share: number; readonly label: string; readonly low: number }) {
  const text = percent(share, share > 0.999 || share === 0 ? 0 : 1);
  return (
    <span className="q-fill" title={`${label}: ${text}`}>
      {text}
      <span className={share < low ? 'q-fill-bar q-fill-low' : 'q-fill-bar'} aria-hidden="true">
        <span style={{ width: `${(share * 100).toFixed(1)}%` }} />
      </span>
    </span>
  );
}
