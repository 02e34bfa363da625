import { Kbd, Modal, Table } from '@mantine/core';
import { places } from './places';

interface ShortcutHelpProps {
  readonly opened: boolean;
  readonly onClose: () => void;
}

export function ShortcutHelp({ opened, onClose }: ShortcutHelpProps) {
  return (
    <Modal opened={opened} onClose={onClose} title="Keyboard" size="sm">
      <Table>
        <Table.Tbody>
          <Table.Tr>
            <Table.Td>Search people</Table.Td>
            <Table.Td ta="right">
              <Kbd>/</Kbd>
            </Table.Td>
          </Table.Tr>
          {places.map((place) => (
            <Table.Tr key={place.to}>
              <Table.Td>{place.label}</Table.Td>
              <Table.Td ta="right">
                <Kbd>g</Kbd> <Kbd>{place.key}</Kbd>
              </Table.Td>
            </Table.Tr>
          ))}
          <Table.Tr>
            <Table.Td>This help</Table.Td>
            <Table.Td ta="right">
              <Kbd>?</Kbd>
            </Table.Td>
          </Table.Tr>
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
