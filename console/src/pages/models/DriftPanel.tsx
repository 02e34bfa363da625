import { Table } from '@mantine/core';
import type { ModelJob } from '../../api/models';
import { fixed } from '../../format/number';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import { driftVerdict, featureWords } from './words';

/** How far the people of the last scoring are from those of training. */
export function DriftPanel({ job }: { readonly job: ModelJob | undefined }) {
  const drift = (job?.drift ?? []).slice(0, 8);
  if (job === undefined || drift.length === 0) return null;
  return (
    <Panel
      title="Drift"
      note={
        <>
          Features of the people who were scored <Moment at={job.startedAt} as="ago" /> beside those of training, by the population stability index.
        </>
      }
      flush
    >
      <Table.ScrollContainer minWidth={360}>
        <Table className="q-list" aria-label="Drift of features">
          <Table.Tbody>
            {drift.map(({ column, psi }) => {
              const { word, tone } = driftVerdict(psi);
              return (
                <Table.Tr key={column}>
                  <Table.Td>{featureWords(column)}</Table.Td>
                  <Table.Td className="q-number">{fixed(psi, 3)}</Table.Td>
                  <Table.Td>
                    <Tag tone={tone}>{word}</Tag>
                  </Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Panel>
  );
}
