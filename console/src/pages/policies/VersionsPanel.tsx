import { Switch, Table } from '@mantine/core';
import { IconVersions } from '@tabler/icons-react';
import { useState } from 'react';
import { policyKeys, policyVersionsQuery, revertPolicy } from '../../api/policies';
import { count, significant } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { List } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';

interface VersionsPanelProps {
  readonly pointKey: string;
  readonly inUse: number;
}

const columns = [
  { label: 'Version' },
  { label: 'Learned' },
  { label: 'Decisions', number: true },
  { label: 'Reward per decision', number: true },
  { label: 'What to do', silent: true },
] as const;

/** Every version of the model, to go back to. */
export function VersionsPanel({ pointKey, inUse }: VersionsPanelProps) {
  const [live, setLive] = useState(false);
  const [wanted, setWanted] = useState(0);
  return (
    <Panel
      title="Versions"
      note="Decisions name the version that they used, and are computed again from it bit for bit."
      flush
      actions={
        <Switch
          size="xs"
          label="Between builds as well"
          checked={live}
          onChange={(event) => {
            setLive(event.currentTarget.checked);
          }}
        />
      }
    >
      <List
        key={live.toString()}
        page={(before) => policyVersionsQuery(pointKey, live, before)}
        columns={columns}
        empty={{ icon: <IconVersions size={20} />, title: 'No version yet' }}
      >
        {(items) =>
          items.map((version) => (
            <Table.Tr key={version.version}>
              <Table.Td>
                {version.version} {version.version === inUse && <Tag tone="better">in use</Tag>} {version.candidate !== undefined && <Tag tone="quiet">{version.candidate}</Tag>}
                {version.live && <span className="q-list-note">continues {version.base}</span>}
              </Table.Td>
              <Table.Td>
                <Moment at={version.builtAt} />
              </Table.Td>
              <Table.Td className="q-number">{count(version.decisions)}</Table.Td>
              <Table.Td className="q-number">{significant(version.decisions > 0 ? version.reward / version.decisions : undefined)}</Table.Td>
              <Table.Td className="q-number">
                {version.version !== inUse && (
                  <ActionButton
                    needs="define"
                    size="compact-xs"
                    variant="subtle"
                    blocked={version.pruned === true ? 'Its numbers were removed, as no stored decision names it.' : ''}
                    onClick={() => {
                      setWanted(version.version);
                    }}
                  >
                    Go back to it
                  </ActionButton>
                )}
              </Table.Td>
            </Table.Tr>
          ))
        }
      </List>
      {wanted > 0 && (
        <Confirm
          title={`Go back to version ${wanted.toString()}?`}
          verb="Go back"
          run={() => revertPolicy(pointKey, wanted, 'gone back in the console')}
          refresh={policyKeys(pointKey)}
          onClose={() => {
            setWanted(0);
          }}
        >
          Decisions use it in every process within a moment. Learning goes on, and the newest version can be used again at any time.
        </Confirm>
      )}
    </Panel>
  );
}
