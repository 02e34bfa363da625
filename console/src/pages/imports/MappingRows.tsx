import { ActionIcon, Autocomplete, Button, Checkbox, Group, NativeSelect, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import type { ImportKind } from '../../api/imports';
import { targets, types, type MappingRow } from './mapping';
import type { Preview } from './preview';

interface MappingRowsProps {
  readonly kind: ImportKind;
  readonly preview: Preview | null;
  readonly rows: readonly MappingRow[];
  /** What is wrong, by row. */
  readonly problems: readonly string[];
  readonly onChange: (rows: readonly MappingRow[]) => void;
}

/** Columns on the left, and what each becomes on the right. */
export function MappingRows({ kind, preview, rows, problems, onChange }: MappingRowsProps) {
  const known = targets(kind, preview?.columns ?? []);
  const set = (index: number, change: Partial<MappingRow>) => {
    onChange(rows.map((row, at) => (at === index ? { ...row, ...change } : row)));
  };
  const add = (source: MappingRow['source']) => {
    onChange([...rows, { source, value: '', target: '', type: '', layout: '', required: false }]);
  };
  return (
    <div className="q-mapping">
      <div className="q-mapping-row q-mapping-head" aria-hidden="true">
        <span>Column or path</span>
        <span>Becomes</span>
        <span>Type</span>
        <span>Required</span>
      </div>
      {rows.map((row, index) => {
        const column = preview?.columns.indexOf(row.value) ?? -1;
        const listed = row.source === 'file' && column >= 0;
        const name = row.value === '' ? `row ${(index + 1).toString()}` : row.value;
        return (
          <div key={index} className="q-mapping-row">
            {listed ? (
              <div className="q-mapping-column" title={row.value}>
                <b>{row.value}</b>
                <span>{preview?.rows.map((each) => each[column] ?? '').filter((each) => each !== '').slice(0, 2).join(' · ') || 'empty in the first rows'}</span>
              </div>
            ) : (
              <TextInput
                size="xs"
                className="q-mapping-column"
                aria-label={row.source === 'file' ? `Column or path of row ${(index + 1).toString()}` : `Text for ${row.target === '' ? 'every row' : row.target}`}
                placeholder={row.source === 'file' ? 'column or path' : row.target === 'event' ? 'name of the event, such as Order Completed' : 'the same text for every row'}
                value={row.value}
                onChange={(event) => {
                  set(index, { value: event.currentTarget.value });
                }}
              />
            )}
            <Autocomplete
              size="xs"
              aria-label={`What ${name} becomes`}
              placeholder="is left out"
              data={[...known]}
              limit={12}
              value={row.target}
              error={(problems[index] ?? '') || null}
              onChange={(target) => {
                set(index, { target });
              }}
            />
            <NativeSelect
              size="xs"
              aria-label={`Type of ${name}`}
              data={types.map((type) => ({ value: type, label: type === '' ? 'as it is' : type }))}
              value={row.type}
              disabled={row.target === ''}
              onChange={(event) => {
                set(index, { type: event.currentTarget.value });
              }}
            />
            <Checkbox
              size="xs"
              mt={6}
              className="q-mapping-required"
              aria-label={`${name} is required`}
              checked={row.required}
              disabled={row.target === '' || row.source === 'fixed'}
              onChange={(event) => {
                set(index, { required: event.currentTarget.checked });
              }}
            />
            {listed ? (
              <span />
            ) : (
              <ActionIcon
                variant="default"
                size={28}
                aria-label={`Remove ${name}`}
                onClick={() => {
                  onChange(rows.filter((_, other) => other !== index));
                }}
              >
                <IconX size={13} />
              </ActionIcon>
            )}
            {row.type === 'time' && row.target !== '' && row.source === 'file' && (
              <TextInput
                size="xs"
                className="q-mapping-layout"
                aria-label={`How the time in ${name} is written`}
                placeholder="iso, unix, unixMillis or 02.01.2006 15:04"
                value={row.layout}
                onChange={(event) => {
                  set(index, { layout: event.currentTarget.value });
                }}
              />
            )}
          </div>
        );
      })}
      <Group gap="xs">
        <Button
          size="compact-xs"
          variant="default"
          leftSection={<IconPlus size={12} />}
          onClick={() => {
            add('file');
          }}
        >
          Column or path
        </Button>
        <Button
          size="compact-xs"
          variant="default"
          leftSection={<IconPlus size={12} />}
          onClick={() => {
            add('fixed');
          }}
        >
          Fixed text
        </Button>
      </Group>
    </div>
  );
}
