import { Table } from '@mantine/core';
import { IconFlag, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { deleteFlag, flagsQuery } from '../../api/flags';
import type { Flag } from '../../api/types';
import { ActionButton } from '../../parts/ActionButton';
import { Confirm } from '../../parts/Confirm';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { flagTypes, ruleWords, valueText } from './form';

const columns: readonly Column[] = [{ label: 'Flag' }, { label: 'State' }, { label: 'Value' }, { label: 'Rules, the first that applies counts' }, { label: 'Changed' }, { label: 'Actions', silent: true }];
const shownRules = 3;

/** Every feature flag with what it gives to whom. */
export function FlagsPage() {
  const [deleting, setDeleting] = useState<Flag | null>(null);
  return (
    <>
      <PageHeader
        title="Flags"
        note="Values that your software asks for: switched for some, split by an experiment, or the same for all. GrowthBook’s SDKs and OpenFeature read them as they are."
        actions={
          <ActionButton needs="define" to="/feature-flags/new" leftSection={<IconPlus size={14} />}>
            New flag
          </ActionButton>
        }
      />
      <Panel flush>
        <List
          page={flagsQuery}
          columns={columns}
          minWidth={820}
          empty={{ icon: <IconFlag size={20} />, title: 'No flags yet', text: 'A flag begins with the value that everybody gets, and rules for some.' }}
        >
          {(flags) =>
            flags.map((flag) => (
              <Table.Tr key={flag.key}>
                <Table.Td>
                  <Link className="q-quiet" to={`/feature-flags/${encodeURIComponent(flag.key)}`}>
                    <span className="q-list-title">{flag.name ?? flag.key}</span>
                    <span className="q-list-note q-mono">{flag.key}</span>
                  </Link>
                </Table.Td>
                <Table.Td>{flag.enabled === false ? <Tag tone="quiet">off</Tag> : <Tag tone="better">on</Tag>}</Table.Td>
                <Table.Td style={{ maxWidth: 200 }}>
                  <div className="q-clip q-mono" title={valueText(flag.default, flag.type)}>
                    {valueText(flag.default, flag.type)}
                  </div>
                  <span className="q-list-note">{flagTypes.find(({ value }) => value === flag.type)?.label}</span>
                </Table.Td>
                <Table.Td style={{ maxWidth: 380 }}>
                  {(flag.rules ?? []).length === 0 && <span className="q-muted">everybody gets the value</span>}
                  {(flag.rules ?? []).slice(0, shownRules).map((rule) => (
                    <div key={rule.key} className="q-clip">
                      {ruleWords(rule, flag.type)}
                    </div>
                  ))}
                  {(flag.rules ?? []).length > shownRules && <span className="q-list-note">and {(flag.rules ?? []).length - shownRules} more</span>}
                </Table.Td>
                <Table.Td className="q-list-plain">
                  <Moment at={flag.updatedAt} />
                  <span className="q-list-note">version {flag.version}</span>
                </Table.Td>
                <Table.Td ta="right">
                  <ActionButton
                    needs="define"
                    size="compact-xs"
                    variant="default"
                    onClick={() => {
                      setDeleting(flag);
                    }}
                  >
                    Delete<span className="q-hidden-label"> {flag.key}</span>
                  </ActionButton>
                </Table.Td>
              </Table.Tr>
            ))
          }
        </List>
      </Panel>
      {deleting !== null && (
        <Confirm
          title={`Delete ${deleting.name ?? deleting.key}?`}
          verb="Delete"
          run={() => deleteFlag(deleting.key, deleting.version)}
          refresh={[['flags']]}
          onClose={() => {
            setDeleting(null);
          }}
        >
          Software that asks for it takes the value in its own code from then on.
        </Confirm>
      )}
    </>
  );
}
