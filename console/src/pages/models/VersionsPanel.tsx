import { Button, Table } from '@mantine/core';
import { IconVersions } from '@tabler/icons-react';
import { useState } from 'react';
import { modelKeys, promoteVersion, trainedVersionsQuery } from '../../api/models';
import { count } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { List } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { Tag, type Tone } from '../../parts/Tag';

interface VersionsPanelProps {
  readonly modelKey: string;
  /** The version whose figures are on the page. */
  readonly shown: number;
  readonly onShow: (version: number) => void;
}

const columns = [{ label: 'Version' }, { label: 'Learner' }, { label: 'Verdict' }, { label: 'Rows', number: true }, { label: 'What to do', silent: true }] as const;
const tones: Readonly<Record<string, Tone>> = { champion: 'better', challenger: 'accent', retired: 'quiet' };

/** Every version that was trained, to look at and to promote. */
export function VersionsPanel({ modelKey, shown, onShow }: VersionsPanelProps) {
  const [wanted, setWanted] = useState(0);
  return (
    <Panel title="Versions" note="The champion scores; a challenger that did not pass its own test cannot be promoted." flush>
      <List page={(before) => trainedVersionsQuery(modelKey, before)} columns={columns} empty={{ icon: <IconVersions size={20} />, title: 'No version yet' }}>
        {(items) =>
          items.map((version) => (
            <Table.Tr key={version.version}>
              <Table.Td>
                {version.version} <Tag tone={tones[version.state] ?? 'neutral'}>{version.state}</Tag>
                <span className="q-list-note">
                  <Moment at={version.trainedAt} />
                </span>
              </Table.Td>
              <Table.Td>{version.learner}</Table.Td>
              <Table.Td className="q-muted">{version.verdict}</Table.Td>
              <Table.Td className="q-number">{count(version.rows)}</Table.Td>
              <Table.Td className="q-number">
                {version.version === shown ? (
                  <span className="q-faint">shown</span>
                ) : (
                  <Button size="compact-xs" variant="subtle" aria-label={`Show version ${version.version.toString()}`} onClick={() => { onShow(version.version); }}>
                    Show
                  </Button>
                )}
                {version.state !== 'champion' && (
                  <ActionButton needs="define" size="compact-xs" variant="subtle" onClick={() => { setWanted(version.version); }}>
                    Promote
                  </ActionButton>
                )}
              </Table.Td>
            </Table.Tr>
          ))
        }
      </List>
      {wanted > 0 && (
        <Confirm title={`Promote version ${wanted.toString()}?`} verb="Promote" loses={false} run={() => promoteVersion(modelKey, wanted)} refresh={modelKeys} onClose={() => { setWanted(0); }}>
          It becomes the champion: the next scoring, and decisions that read its scores, use it. The champion of now can be brought back.
        </Confirm>
      )}
    </Panel>
  );
}
