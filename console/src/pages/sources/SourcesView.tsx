import { Table } from '@mantine/core';
import { IconDatabaseSearch } from '@tabler/icons-react';
import { Link } from 'react-router';
import { sourcesQuery } from '../../api/quality';
import type { EventSource } from '../../api/types';
import { count } from '../../format/number';
import { duration } from '../../format/time';
import { List, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import { scoreText, scoreTone, sourceKind, sourceTitle } from './words';

const columns: readonly Column[] = [
  { label: 'Source' },
  { label: 'State' },
  { label: 'Score' },
  { label: 'Today', number: true },
  { label: 'Last event' },
  { label: 'Lag p95', number: true },
  { label: 'In quarantine', number: true },
];

/** Every source with its state in words. */
export function SourcesView() {
  return (
    <Panel flush>
      <List
        page={() => sourcesQuery}
        columns={columns}
        minWidth={780}
        empty={{
          icon: <IconDatabaseSearch size={20} />,
          title: 'Nothing has come in yet',
          text: 'Every API key and webhook that sends something appears here with its first message.',
        }}
      >
        {(sources) => sources.map((source) => <SourceRow key={source.id} source={source} />)}
      </List>
    </Panel>
  );
}

function SourceRow({ source }: { readonly source: EventSource }) {
  return (
    <Table.Tr>
      <Table.Td>
        <Link className="q-quiet" to={`/sources/of/${encodeURIComponent(source.id)}`}>
          <span className="q-list-title">{sourceTitle(source)}</span>
          <span className="q-list-note">{sourceKind(source.id)}</span>
        </Link>
      </Table.Td>
      <Table.Td style={{ maxWidth: 360 }}>
        {source.problems.length === 0 ? (
          <span className="q-muted">in order</span>
        ) : (
          <ul className="q-source-problems">
            {source.problems.map((problem) => (
              <li key={problem.kind}>{problem.text}</li>
            ))}
          </ul>
        )}
      </Table.Td>
      <Table.Td>
        <Tag tone={scoreTone(source.score?.total)} title={source.score === null ? 'No day has a score yet' : `Of ${source.score.day}, out of 100`}>
          {scoreText(source.score?.total)}
        </Tag>
      </Table.Td>
      <Table.Td className="q-number">
        {count(source.events.today)}
        <span className="q-list-note">{count(source.events.week)} in 7 days</span>
      </Table.Td>
      <Table.Td className="q-list-plain">
        {source.lastEventAt === null ? <span className="q-faint">never</span> : <Moment at={source.lastEventAt} as="ago" />}
        {source.usualSilenceSeconds > 0 && <span className="q-list-note">silent for up to {duration(source.usualSilenceSeconds)} as a rule</span>}
      </Table.Td>
      <Table.Td className="q-number">
        {source.lag.p95 === null ? <span className="q-faint">–</span> : duration(source.lag.p95)}
      </Table.Td>
      <Table.Td className="q-number">
        {source.quarantined > 0 ? (
          <Link className="q-link" to={`/sources/quarantine?source=${encodeURIComponent(source.id)}`}>
            {count(source.quarantined)}
          </Link>
        ) : (
          <span className="q-faint">0</span>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
