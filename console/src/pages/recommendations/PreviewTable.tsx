import { Table } from '@mantine/core';
import { Link } from 'react-router';
import type { PreviewList } from '../../api/recommendations';
import { count, fixed, noFigure, percent, probability, significant } from '../../format/number';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import './recommendations.css';
import { listWords, moveOf, partsWords, reasonWords, sourceTitle } from './words';

interface PreviewTableProps {
  readonly list: PreviewList;
  readonly label: string;
  /** The list to compare places with. */
  readonly before?: PreviewList;
}

/** A list with where every item comes from. */
export function PreviewTable({ list, label, before }: PreviewTableProps) {
  const gone = before === undefined ? [] : before.items.filter(({ id }) => !list.items.some((item) => item.id === id));
  return (
    <>
      <p role="status" className="q-preview-words">
        {listWords(list)}
      </p>
      {list.sources.length > 0 && (
        <p className="q-preview-words">
          {list.sources.map(({ source, candidates, places }) => (
            <Tag key={source} tone={places > 0 ? 'accent' : 'quiet'} title={`${count(candidates)} candidates, ${count(places)} places`}>
              {sourceTitle(source)}: {count(places)} of {count(candidates)}
            </Tag>
          ))}
        </p>
      )}
      {list.items.length > 0 && (
        <Table.ScrollContainer minWidth={before === undefined ? 760 : 520}>
          <Table className="q-list" verticalSpacing={7} aria-label={label}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th className="q-number" w={64}>Place</Table.Th>
                <Table.Th>Item</Table.Th>
                <Table.Th>Why</Table.Th>
                <Table.Th className="q-number">Score</Table.Th>
                {before === undefined && (
                  <>
                    <Table.Th className="q-number">Taken</Table.Th>
                    <Table.Th className="q-number">Margin</Table.Th>
                    <Table.Th className="q-number">Propensity</Table.Th>
                  </>
                )}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.items.map((item) => {
                const move = before === undefined ? undefined : moveOf(before, item);
                return (
                  <Table.Tr key={item.id}>
                    <Table.Td className="q-number">
                      {item.place}
                      {move !== undefined && move.word !== '' && <span className={`q-move q-move-${move.kind}`}>{move.word}</span>}
                    </Table.Td>
                    <Table.Td>
                      <Link className="q-quiet" to={`/catalogue/items/${encodeURIComponent(item.id)}`}>
                        <span className="q-list-title">{item.name}</span>
                      </Link>
                      <span className="q-list-note">
                        <span className="q-mono">{item.id}</span>
                        {item.category !== undefined && ` · ${item.category}`}
                      </span>
                    </Table.Td>
                    <Table.Td>
                      {reasonWords(item)}
                      <span className="q-list-note">{partsWords(item)}</span>
                    </Table.Td>
                    <Table.Td className="q-number">
                      {significant(item.score)}
                      {item.factor !== 1 && <span className="q-list-note">boosted × {significant(item.factor)}</span>}
                    </Table.Td>
                    {before === undefined && (
                      <>
                        <Table.Td className="q-number">{item.probability > 0 ? percent(item.probability) : noFigure}</Table.Td>
                        <Table.Td className="q-number">{fixed(item.margin, 2)}</Table.Td>
                        <Table.Td className="q-number">{probability(item.propensity)}</Table.Td>
                      </>
                    )}
                  </Table.Tr>
                );
              })}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {gone.length > 0 && <p className="q-preview-words">Not there any more: {gone.map(({ name }) => name).join(', ')}.</p>}
    </>
  );
}
