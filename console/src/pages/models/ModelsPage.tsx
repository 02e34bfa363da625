import { Table } from '@mantine/core';
import { IconCrystalBall, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { standingsQuery, type Standing } from '../../api/models';
import { ActionButton } from '../../parts/ActionButton';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { ModelForm } from './ModelForm';
import { driftVerdict, familyName, familyQuestion, jobWords } from './words';

const columns: readonly Column[] = [{ label: 'Model' }, { label: 'Champion' }, { label: 'Says', visibleFrom: 'sm' }, { label: 'Last run' }];

/** What is predicted of people, and how well. */
export function ModelsPage() {
  const [adding, setAdding] = useState(false);
  const navigate = useNavigate();
  return (
    <>
      <PageHeader
        title="Models"
        note="What people will do, learned from the log, tested on later people, and written as attributes that segments and decisions read."
        actions={
          <ActionButton needs="define" leftSection={<IconPlus size={14} />} onClick={() => { setAdding(true); }}>
            New model
          </ActionButton>
        }
      />
      <Panel flush>
        <List
          page={standingsQuery}
          columns={columns}
          minWidth={520}
          empty={{ icon: <IconCrystalBall size={20} />, title: 'No models yet', text: 'Churn, next purchase, lifetime value, uplift of a treatment, the best hour to send: say which, and a version is trained from the log.' }}
        >
          {(items) => items.map((standing) => <ModelRow key={standing.key} standing={standing} />)}
        </List>
      </Panel>
      {adding && (
        <ModelForm
          onClose={() => { setAdding(false); }}
          onSaved={(key) => { void navigate(`/models/${encodeURIComponent(key)}`); }}
        />
      )}
    </>
  );
}

function ModelRow({ standing }: { readonly standing: Standing }) {
  const { key, name, family, champion, newest, job, scored, paused } = standing;
  const worst = scored?.drift?.[0];
  const verdict = worst === undefined ? undefined : driftVerdict(worst.psi);
  return (
    <Table.Tr>
      <Table.Td>
        <Link className="q-quiet" to={`/models/${encodeURIComponent(key)}`}>
          <span className="q-list-title">{name === undefined || name === '' ? key : name}</span>
          <span className="q-list-note">
            {familyName(family)}: {familyQuestion(family)}
          </span>
        </Link>
      </Table.Td>
      <Table.Td>
        {champion === undefined ? (
          <Tag tone={newest === undefined ? 'quiet' : 'warning'}>{newest === undefined ? 'not trained' : 'none promoted'}</Tag>
        ) : (
          <>
            version {champion.version} {verdict !== undefined && verdict.tone !== 'better' && <Tag tone={verdict.tone}>{verdict.word}</Tag>}
            <span className="q-list-note">
              <Moment at={champion.trainedAt} as="ago" />
            </span>
          </>
        )}
      </Table.Td>
      <Table.Td className="q-muted" visibleFrom="sm">
        {(champion ?? newest)?.verdict ?? ''}
      </Table.Td>
      <Table.Td className="q-muted">
        {job === undefined ? (paused === true ? 'paused' : 'soon') : jobWords(job)}
        {job !== undefined && (
          <span className="q-list-note">
            <Moment at={job.startedAt} as="ago" />
          </span>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
