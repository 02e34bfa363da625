import { Combobox, Kbd, Loader, TextInput, useCombobox } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { IconSearch } from '@tabler/icons-react';
import { useState, type RefObject } from 'react';
import { useNavigate } from 'react-router';
import { profilesQuery } from '../api/profiles';
import { asProblem } from '../api/problem';
import { personName, personNote } from '../pages/profiles/person';

const shown = 8;

/** Finds a person from anywhere: by identifier, name or e-mail. */
export function ProfileSearch({ field }: { readonly field: RefObject<HTMLInputElement | null> }) {
  const [text, setText] = useState('');
  const [query] = useDebouncedValue(text.trim(), 180);
  const navigate = useNavigate();
  const combobox = useCombobox({
    onDropdownClose: () => {
      combobox.resetSelectedOption();
    },
  });
  const found = useQuery({ ...profilesQuery(query, shown), enabled: query !== '' });
  const people = query === '' ? [] : (found.data?.items ?? []);

  const open = (id: string) => {
    setText('');
    combobox.closeDropdown();
    field.current?.blur();
    void navigate(`/profiles/${encodeURIComponent(id)}`);
  };

  return (
    <Combobox store={combobox} onOptionSubmit={open} shadow="md">
      <Combobox.Target>
        <TextInput
          ref={field}
          value={text}
          w={{ base: 180, sm: 340 }}
          size="sm"
          aria-label="Search people"
          placeholder="Search people"
          leftSection={<IconSearch size={15} stroke={1.8} />}
          rightSection={found.isFetching && query !== '' ? <Loader size={14} /> : <Kbd size="xs">/</Kbd>}
          onChange={(event) => {
            setText(event.currentTarget.value);
            combobox.openDropdown();
            combobox.updateSelectedOptionIndex();
          }}
          onKeyDown={(event) => {
            if (event.key === 'Escape') field.current?.blur();
            // Enter without a chosen row takes the first one.
            const first = people[0];
            if (event.key === 'Enter' && combobox.getSelectedOptionIndex() === -1 && first !== undefined) {
              event.preventDefault();
              open(first.profileId);
            }
          }}
          onBlur={() => {
            combobox.closeDropdown();
          }}
        />
      </Combobox.Target>
      <Combobox.Dropdown hidden={query === ''}>
        <Combobox.Options>
          {people.map((person) => (
            <Combobox.Option key={person.profileId} value={person.profileId}>
              <div className="q-clip">{personName(person)}</div>
              <div className="q-clip q-faint" style={{ fontSize: '0.75rem' }}>
                {personNote(person)}
              </div>
            </Combobox.Option>
          ))}
          {people.length === 0 && (
            <Combobox.Empty>
              {found.isError ? asProblem(found.error).message : found.isFetching ? 'Searching' : 'Nobody found'}
            </Combobox.Empty>
          )}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}
