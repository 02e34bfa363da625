import { Button, Drawer, NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconPlus, IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { filtersQuery } from '../../api/segments';
import type { FilterParameter, SegmentFilter } from '../../api/types';
import { Loaded } from '../../parts/Loaded';
import { SkeletonRows } from '../../parts/Skeletons';
import { defaultValues, filledRule, groupedFilters, wantsValue, type FilterValues } from './filters';
import { SpanField } from './SpanField';
import { Amount, DateField, ListField } from './TestFields';
import './rule.css';

interface FilterLibraryProps {
  readonly opened: boolean;
  readonly onClose: () => void;
  readonly onAdd: (rule: unknown) => void;
}

/** The ready conditions of the service: choose one, give its values, add it. */
export function FilterLibrary({ opened, onClose, onAdd }: FilterLibraryProps) {
  const filters = useQuery({ ...filtersQuery, enabled: opened });
  const [search, setSearch] = useState('');
  return (
    <Drawer opened={opened} onClose={onClose} position="right" size="md" title="Ready filters">
      <TextInput
        aria-label="Search ready filters"
        placeholder="Search"
        data-autofocus
        leftSection={<IconSearch size={15} />}
        value={search}
        onChange={(event) => {
          setSearch(event.currentTarget.value);
        }}
      />
      <Loaded query={filters} skeleton={<SkeletonRows rows={12} />}>
        {(data) => {
          const groups = groupedFilters(data.items ?? [], search);
          return groups.length === 0 ? (
            <p className="q-muted">No ready filter has these words. Any condition can be made from scratch.</p>
          ) : (
            groups.map(([group, list]) => (
              <section key={group}>
                <h3 className="q-filter-heading">{group}</h3>
                {list.map((filter) => (
                  <FilterForm key={filter.key} filter={filter} onAdd={onAdd} />
                ))}
              </section>
            ))
          );
        }}
      </Loaded>
    </Drawer>
  );
}

function FilterForm({ filter, onAdd }: { readonly filter: SegmentFilter; readonly onAdd: (rule: unknown) => void }) {
  const [values, setValues] = useState<FilterValues>(() => defaultValues(filter));
  const parameters = filter.parameters ?? [];
  return (
    <form
      className="q-filter"
      aria-label={filter.title}
      onSubmit={(event) => {
        event.preventDefault();
        // React hands it on to the form of the page, which would save the segment.
        event.stopPropagation();
        onAdd(filledRule(filter, values));
      }}
    >
      <p className="q-filter-title">{filter.title}</p>
      <p className="q-filter-text">{filter.description}</p>
      <div className="q-rule-fields">
        {parameters.map((parameter) => (
          <span key={parameter.name} className="q-rule-fields" style={{ marginTop: 0 }}>
            <span className="q-muted">{parameter.title}</span>
            <ParameterField
              parameter={parameter}
              value={values[parameter.name]}
              onChange={(value) => {
                setValues({ ...values, [parameter.name]: value });
              }}
            />
          </span>
        ))}
        <Button
          type="submit"
          size="compact-sm"
          variant="light"
          leftSection={<IconPlus size={14} />}
          disabled={parameters.some((parameter) => wantsValue(parameter, values))}
        >
          Add<span className="q-hidden-label"> {filter.title}</span>
        </Button>
      </div>
    </form>
  );
}

interface ParameterFieldProps {
  readonly parameter: FilterParameter;
  readonly value: unknown;
  readonly onChange: (value: unknown) => void;
}

function ParameterField({ parameter, value, onChange }: ParameterFieldProps) {
  const text = typeof value === 'string' ? value : '';
  switch (parameter.type) {
    case 'number':
      return <Amount label={parameter.title} value={value} onChange={onChange} />;
    case 'span':
      return <SpanField label={parameter.title} value={text} onChange={onChange} />;
    case 'date':
      return <DateField label={parameter.title} value={text} onChange={onChange} />;
    case 'texts':
      return <ListField label={parameter.title} value={value} onChange={onChange} />;
    default:
      return parameter.options && parameter.options.length > 0 ? (
        <NativeSelect
          aria-label={parameter.title}
          value={text}
          data={parameter.options}
          onChange={(event) => {
            onChange(event.currentTarget.value);
          }}
        />
      ) : (
        <TextInput
          aria-label={parameter.title}
          w={170}
          value={text}
          onChange={(event) => {
            onChange(event.currentTarget.value);
          }}
        />
      );
  }
}
