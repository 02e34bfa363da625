import { Table } from '@mantine/core';
import { IconRss } from '@tabler/icons-react';
import { useState } from 'react';
import type { FeedRun, FeedTrial } from '../../api/catalogue';
import { count, fixed } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Rows, type Column } from '../../parts/List';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';

const columns: readonly Column[] = [
  { label: 'Run' },
  { label: 'Outcome' },
  { label: 'Rows', number: true },
  { label: 'Written', number: true },
  { label: 'Unchanged', number: true },
  { label: 'Gone', number: true },
  { label: 'Rejected', number: true },
  { label: 'Seconds', number: true },
];

/** What became of the runs, and the rows that the chosen one did not take. */
export function FeedRunsPanel({ runs }: { readonly runs: readonly FeedRun[] }) {
  const [chosen, setChosen] = useState('');
  const shown = runs.find(({ startedAt }) => startedAt === chosen) ?? runs.find(({ report }) => report.rejected > 0);
  if (runs.length === 0) {
    return (
      <Panel title="Runs">
        <EmptyState icon={<IconRss size={20} />} title="Not run yet">
          It is read within seconds after it was saved, unless it is paused.
        </EmptyState>
      </Panel>
    );
  }
  return (
    <>
      <Panel title="Runs" flush>
        <Rows columns={columns} minWidth={760}>
          {runs.map(({ startedAt, succeeded, report }) => (
            <Table.Tr key={startedAt}>
              <Table.Td>
                <Moment at={startedAt} as="second" />
              </Table.Td>
              <Table.Td style={{ maxWidth: 340 }}>
                <Tag tone={succeeded ? 'better' : 'worse'}>{succeeded ? (report.notModified === true ? 'not changed' : 'read') : 'failed'}</Tag>
                {(report.error ?? report.note) !== undefined && <span className="q-list-note">{report.error ?? report.note}</span>}
              </Table.Td>
              <Table.Td className="q-number">{count(report.rows)}</Table.Td>
              <Table.Td className="q-number">{count(report.written)}</Table.Td>
              <Table.Td className="q-number">{count(report.unchanged)}</Table.Td>
              <Table.Td className="q-number">{count(report.gone)}</Table.Td>
              <Table.Td className="q-number">
                {report.rejected === 0 ? (
                  <span className="q-faint">0</span>
                ) : (
                  <button type="button" className="q-plain-button" aria-pressed={shown?.startedAt === startedAt} onClick={() => { setChosen(startedAt); }}>
                    {count(report.rejected)}
                  </button>
                )}
              </Table.Td>
              <Table.Td className="q-number">{fixed(report.seconds, 2)}</Table.Td>
            </Table.Tr>
          ))}
        </Rows>
      </Panel>
      {shown !== undefined && shown.report.rejected > 0 && (
        <Panel title="Rejected rows" note={<>Of the run of <Moment at={shown.startedAt} as="second" />{shown.report.rejected > shown.report.rejects.length ? `, the first ${count(shown.report.rejects.length)} of ${count(shown.report.rejected)}` : ''}.</>} flush>
          <Rejects rejects={shown.report.rejects} />
        </Panel>
      )}
    </>
  );
}

const rejectColumns: readonly Column[] = [{ label: 'Line' }, { label: 'Id' }, { label: 'Reason' }];

/** Rows that were not taken, with the reason. */
export function Rejects({ rejects }: { readonly rejects: FeedTrial['rejects'] }) {
  return (
    <Rows columns={rejectColumns} minWidth={420}>
      {rejects.map(({ row, id, reason }) => (
        <Table.Tr key={`${row.toString()} ${reason}`}>
          <Table.Td>{count(row)}</Table.Td>
          <Table.Td className="q-mono">{id ?? <span className="q-faint">unknown</span>}</Table.Td>
          <Table.Td>{reason}</Table.Td>
        </Table.Tr>
      ))}
    </Rows>
  );
}
