import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconListCheck } from '@tabler/icons-react';
import { historyQuery, type ListHistory } from '../../api/recommendations';
import { IntervalAxis, IntervalMark } from '../../charts/IntervalMark';
import { intervalScale } from '../../charts/scale';
import { count, noFigure, percent } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Rows, type Column } from '../../parts/List';
import { Loaded } from '../../parts/Loaded';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';

const columns: readonly Column[] = [
  { label: 'Placement' },
  { label: 'Lists', number: true },
  { label: 'People', number: true },
  { label: 'Places', number: true },
  { label: 'Taken up, 95% interval' },
  { label: 'Taken up', number: true },
  { label: 'Bought', number: true },
];

type Row = ListHistory['rows'][number];
type Share = Row['taken'];

const between = ({ low, high }: Share) => (low === undefined || high === undefined ? '' : `${percent(low)} to ${percent(high)}`);

/** What became of the lists that people were given, from the log. */
export function HistoryPanel() {
  const history = useQuery(historyQuery);
  return (
    <Loaded query={history} skeleton={<SkeletonBlock height={160} />}>
      {({ rows }) => <History rows={rows} />}
    </Loaded>
  );
}

function History({ rows }: { readonly rows: readonly Row[] }) {
  if (rows.length === 0) {
    return (
      <Panel title="What became of lists">
        <EmptyState icon={<IconListCheck size={20} />} title="No list is in the log yet">
          Every list that is asked for goes into the log, and what people then did with its items counts for it.
        </EmptyState>
      </Panel>
    );
  }
  const intervals = rows.flatMap(({ taken }) => (taken.low === undefined || taken.high === undefined ? [] : [{ estimate: taken.share, lower: taken.low, upper: taken.high }]));
  const scale = intervalScale(intervals, 0);
  return (
    <Panel
      title="What became of lists"
      note="The last 28 days, from the log. A place is taken up where the person did something with its item within a day; of several lists with the item the last counts. Shares are of the places of known people."
      flush
    >
      <Rows columns={columns} minWidth={820}>
        {rows.map(({ placement, lists, people, places, taken, bought }) => (
          <Table.Tr key={placement}>
            <Table.Td className="q-mono">{placement}</Table.Td>
            <Table.Td className="q-number">{count(lists)}</Table.Td>
            <Table.Td className="q-number">{count(people)}</Table.Td>
            <Table.Td className="q-number">{count(places)}</Table.Td>
            <Table.Td>
              {taken.low === undefined || taken.high === undefined ? (
                <span className="q-faint">{noFigure}</span>
              ) : (
                <IntervalMark
                  interval={{ estimate: taken.share, lower: taken.low, upper: taken.high }}
                  scale={scale}
                  verdict="unclear"
                  label={`${placement}: ${percent(taken.share)} of places taken up, 95% interval ${between(taken)}`}
                />
              )}
            </Table.Td>
            {[taken, bought].map((share, n) => (
              <Table.Td key={n === 0 ? 'taken' : 'bought'} className="q-number">
                {percent(places === 0 ? undefined : share.share)}
                <span className="q-list-note">{between(share)}</span>
              </Table.Td>
            ))}
          </Table.Tr>
        ))}
        {intervals.length > 0 && (
          <Table.Tr>
            <Table.Td colSpan={4} />
            <Table.Td>
              <IntervalAxis scale={scale} format={(value) => percent(value)} />
            </Table.Td>
            <Table.Td colSpan={2} />
          </Table.Tr>
        )}
      </Rows>
    </Panel>
  );
}
