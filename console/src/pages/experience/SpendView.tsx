import { Button, FileButton, Table, Text, Textarea } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconCoin, IconUpload } from '@tabler/icons-react';
import { useState } from 'react';
import { sendSpend, spendQuery } from '../../api/experience';
import { useMay } from '../../api/may';
import { asProblem } from '../../api/problem';
import type { MarketingSpend } from '../../api/types';
import { count, fixed } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonRows } from '../../parts/Skeletons';
import '../../parts/list-table.css';
import { periodWords } from './metrics';
import { records, spendFaults, type SpendFault } from './spendCsv';

const example = 'day,channel,campaign,amount,currency\n2026-11-01,search,brand,120.50,EUR\n2026-11-02,social,,80,EUR';
const mostBytes = 4 << 20;
const shownRows = 100;

/** What marketing cost: brought in as CSV, and listed. */
export function SpendView() {
  const may = useMay('admin');
  return (
    <div className="q-experience">
      {may ? <ImportPanel /> : <p className="q-muted">Only administrators bring in what was spent.</p>}
      <RecordedPanel />
    </div>
  );
}

function ImportPanel() {
  const queries = useQueryClient();
  const [csv, setCsv] = useState('');
  const [tooLarge, setTooLarge] = useState(false);
  const send = useMutation({
    mutationFn: (text: string) => sendSpend(text),
    onSuccess: async () => {
      setCsv('');
      await Promise.all([queries.invalidateQueries({ queryKey: spendQuery.queryKey }), queries.invalidateQueries({ queryKey: ['experience'] })]);
    },
  });
  const rows = Math.max(0, records(csv).length - 1);
  const problem = send.isError ? asProblem(send.error) : null;
  const read = async (file: File | null) => {
    if (file === null) return;
    setTooLarge(file.size > mostBytes);
    if (file.size > mostBytes) return;
    send.reset();
    setCsv(await file.text());
  };
  return (
    <Panel
      title="Bring in marketing spend"
      note="CSV with the columns day, channel, campaign, amount and currency, up to 10,000 rows, all or none. A row takes the place of an earlier one of the same day, channel, campaign and currency, so a file can be sent again."
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          send.mutate(csv);
        }}
      >
        <Textarea
          aria-label="Spend as CSV"
          placeholder={example}
          autosize
          minRows={5}
          maxRows={14}
          spellCheck={false}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.78125rem' } }}
          value={csv}
          onChange={(event) => {
            send.reset();
            setTooLarge(false);
            setCsv(event.currentTarget.value);
          }}
        />
        <div className="q-spend-actions">
          <FileButton accept=".csv,text/csv,text/plain" onChange={(file) => void read(file)}>
            {(props) => (
              <Button {...props} variant="default" leftSection={<IconUpload size={14} />}>
                Choose a file
              </Button>
            )}
          </FileButton>
          <Button type="submit" disabled={rows === 0} loading={send.isPending}>
            {rows === 0 ? 'Record' : `Record ${count(rows)} ${rows === 1 ? 'row' : 'rows'}`}
          </Button>
          {send.isSuccess && (
            <Text role="status" size="sm">
              {count(send.data)} {send.data === 1 ? 'row is' : 'rows are'} recorded.
            </Text>
          )}
          {tooLarge && (
            <Text role="alert" size="sm" c="red">
              The file is larger than 4 MB. Send it in parts.
            </Text>
          )}
        </div>
      </form>
      {problem !== null &&
        (problem.findings.length > 0 ? <Faults faults={spendFaults(csv, problem.findings)} /> : <ProblemPanel error={send.error} />)}
    </Panel>
  );
}

function Faults({ faults }: { readonly faults: readonly SpendFault[] }) {
  return (
    <div role="alert">
      <Text mt="md" mb={4} fw={600}>
        Nothing was recorded: {count(faults.length)} {faults.length === 1 ? 'field breaks' : 'fields break'} a rule
      </Text>
      <div className="q-panel-scroll">
        <Table className="q-list">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Line</Table.Th>
              <Table.Th>Field</Table.Th>
              <Table.Th>Rule</Table.Th>
              <Table.Th>What stands there</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {faults.slice(0, shownRows).map((fault, index) => (
              <Table.Tr key={index}>
                <Table.Td>{fault.line ?? '–'}</Table.Td>
                <Table.Td>
                  <code>{fault.field === '' ? 'row' : fault.field}</code>
                </Table.Td>
                <Table.Td>{fault.rule}</Table.Td>
                <Table.Td className="q-spend-line">{fault.text.slice(0, 200)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {faults.length > shownRows && <Text size="sm">The first {shownRows} are shown.</Text>}
    </div>
  );
}

function RecordedPanel() {
  const spend = useQuery(spendQuery);
  return (
    <Panel title="Recorded in the last year" note="Newest day first. Currencies are not converted." flush>
      <Loaded query={spend} skeleton={<SkeletonRows rows={5} />}>
        {(data) =>
          data.items.length === 0 ? (
            <EmptyState icon={<IconCoin size={20} />} title="Nothing is recorded">
              With what marketing cost, the cost of winning a customer comes out.
            </EmptyState>
          ) : (
            <SpendTable rows={data.items} />
          )
        }
      </Loaded>
    </Panel>
  );
}

function SpendTable({ rows }: { readonly rows: readonly MarketingSpend[] }) {
  return (
    <>
      <Table className="q-list">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Day</Table.Th>
            <Table.Th>Channel</Table.Th>
            <Table.Th>Campaign</Table.Th>
            <Table.Th className="q-number">Amount</Table.Th>
            <Table.Th>Currency</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.slice(0, shownRows).map((row) => (
            <Table.Tr key={`${row.day} ${row.channel} ${row.campaign ?? ''} ${row.currency}`}>
              <Table.Td className="q-list-plain">{periodWords(row.day, 'day')}</Table.Td>
              <Table.Td>{row.channel}</Table.Td>
              <Table.Td className="q-muted">{row.campaign}</Table.Td>
              <Table.Td className="q-number">{fixed(row.amount, 2)}</Table.Td>
              <Table.Td>{row.currency}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {rows.length > shownRows && (
        <Text size="sm" c="dimmed" px={16} py={8}>
          The newest {shownRows} of {rows.length >= 1000 ? 'more than 1,000' : count(rows.length)} rows.
        </Text>
      )}
    </>
  );
}
