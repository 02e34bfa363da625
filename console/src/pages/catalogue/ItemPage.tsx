import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useParams } from 'react-router';
import { itemQuery, type CatalogueItemPage, type Related } from '../../api/catalogue';
import { count, fixed, noFigure, percent, probability, significant } from '../../format/number';
import { Figure, Figures } from '../../parts/Figure';
import { Rows, type Column } from '../../parts/List';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { scalarText } from '../../parts/scalar';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { Terms } from '../../parts/Terms';
import { marginShare, recommenderTitle, relatedTitle, scoreName, standingWords, stockWords } from './words';
import './catalogue.css';

const parent = { to: '/catalogue', label: 'Catalogue' };

/** One item: what it is, how it stands, and what recommenders know of it. */
export function ItemPage() {
  const { key = '' } = useParams();
  const query = useQuery(itemQuery(key));
  return (
    <>
      {query.data === undefined && <PageHeader title={key} parent={parent} />}
      <Loaded query={query} skeleton={<SkeletonBlock height={420} />}>
        {(page) => <Shown key={page.key} page={page} />}
      </Loaded>
    </>
  );
}

function Shown({ page }: { readonly page: CatalogueItemPage }) {
  const { key, item, margin, standing, knowledge } = page;
  const { word, tone, meaning } = standingWords[standing];
  const share = marginShare(item.price, margin);
  const attributes = Object.entries(item.attributes ?? {}).sort(([a], [b]) => a.localeCompare(b));
  return (
    <>
      <PageHeader
        title={item.name}
        parent={parent}
        badges={
          <Tag tone={tone} title={meaning}>
            {word}
          </Tag>
        }
        note={
          <>
            <span className="q-mono">{key}</span>, version {page.version}, changed <Moment at={page.updatedAt} as="ago" /> by {page.updatedBy}
          </>
        }
        actions={
          <Link className="q-link" to={`/recommendations?item=${encodeURIComponent(key)}`}>
            Preview what stands beside it
          </Link>
        }
      />
      <div className="q-stack">
        <Figures>
          <Figure label="Price" value={item.price === undefined ? noFigure : fixed(item.price, 2)} />
          <Figure label="Cost" value={item.cost === undefined ? noFigure : fixed(item.cost, 2)} note={item.cost === undefined ? 'the whole price counts as margin' : undefined} />
          <Figure label="Margin" value={fixed(margin, 2)} note={share === undefined ? undefined : `${percent(share)} of the price`} />
          <Figure label="Stock" value={stockWords(item.stock)} />
        </Figures>
        <div className="q-item-columns">
          <Panel title="What recommenders know" note={known(knowledge)} flush>
            {knowledge.recommenders.length > 0 && (
              <Rows columns={knowsColumns} minWidth={420}>
                {knowledge.recommenders.map(({ recommender, method, knows, rank }) => (
                  <Table.Tr key={recommender}>
                    <Table.Td>
                      {recommenderTitle(recommender)}
                      <span className="q-list-note">{method}</span>
                    </Table.Td>
                    <Table.Td>
                      <Tag tone={knows ? 'better' : 'quiet'}>{knows ? 'knows it' : 'knows nothing'}</Tag>
                    </Table.Td>
                    <Table.Td className="q-number">{rank === undefined ? noFigure : count(rank)}</Table.Td>
                  </Table.Tr>
                ))}
              </Rows>
            )}
          </Panel>
          <Panel title="The item">
            <Image key={item.imageUrl ?? ''} url={item.imageUrl} name={item.name} />
            <Terms
              entries={[
                ['Category', item.category === undefined ? 'none' : <Link className="q-link" key="category" to={`/catalogue?category=${encodeURIComponent(item.category)}`}>{item.category}</Link>],
                ['Available from', item.availableFrom === undefined ? 'always' : <Moment key="from" at={item.availableFrom} />],
                ['Available until', item.availableUntil === undefined ? 'without end' : <Moment key="until" at={item.availableUntil} />],
                ['Feed', item.feed === undefined ? 'none' : <Link className="q-link" key="feed" to={`/catalogue/feeds/${encodeURIComponent(item.feed)}`}>{item.feed}</Link>],
                ...(item.text === undefined ? [] : ([['Text', item.text]] as const)),
                ...attributes.map(([name, value]) => [name, scalarText(value)] as const),
              ]}
            />
          </Panel>
        </div>
        <div className="q-related">
          {knowledge.related.map((related) => (
            <RelatedPanel key={related.reason} related={related} />
          ))}
        </div>
      </div>
    </>
  );
}

const knowsColumns: readonly Column[] = [{ label: 'Recommender' }, { label: 'This item' }, { label: 'Rank', number: true }];

function known({ version, inBuild }: CatalogueItemPage['knowledge']): string {
  if (version === undefined) return 'Nothing has been learned yet: items are recommended as new.';
  return inBuild ? `Of build ${version.toString()}. A rank is the place among all items.` : `It came after build ${version.toString()}, and is recommended as new until the next.`;
}

/** The picture, where it loads. */
function Image({ url, name }: { readonly url: string | undefined; readonly name: string }) {
  const [broken, setBroken] = useState(false);
  if (url === undefined || url === '') return null;
  // A path is the shop's, and its server is not known here.
  if (!url.startsWith('https://')) return <p className="q-muted">The image is at <span className="q-mono">{url}</span>.</p>;
  if (broken) return <p className="q-muted">The image at {url} does not load.</p>;
  return <img className="q-item-image" src={url} alt={name} loading="lazy" referrerPolicy="no-referrer" onError={() => { setBroken(true); }} />;
}

function RelatedPanel({ related: { reason, items } }: { readonly related: Related }) {
  const counted = items.some(({ count: pairs }) => pairs !== undefined);
  const columns: readonly Column[] = [
    { label: 'Item' },
    ...(counted ? [{ label: reason === 'bought-after' ? 'People' : 'Baskets', number: true }, { label: 'Confidence', number: true }] : []),
    ...(reason === 'bought-after' ? [{ label: 'Direction', number: true }] : []),
    { label: scoreName(reason), number: true },
  ];
  return (
    <Panel title={relatedTitle(reason)} flush>
      <Rows columns={columns} minWidth={320}>
        {items.map((other) => (
          <Table.Tr key={other.id}>
            <Table.Td>
              {other.name === undefined ? (
                <span className="q-mono">{other.id}</span>
              ) : (
                <Link className="q-quiet" to={`/catalogue/items/${encodeURIComponent(other.id)}`}>
                  {other.name}
                </Link>
              )}{' '}
              {!other.offered && <Tag tone="quiet">{other.name === undefined ? 'not in the catalogue' : 'not offered'}</Tag>}
            </Table.Td>
            {counted && (
              <>
                <Table.Td className="q-number">{count(other.count)}</Table.Td>
                <Table.Td className="q-number">{percent(other.confidence)}</Table.Td>
              </>
            )}
            {reason === 'bought-after' && <Table.Td className="q-number">{probability(other.direction)}</Table.Td>}
            <Table.Td className="q-number">{significant(other.score)}</Table.Td>
          </Table.Tr>
        ))}
      </Rows>
    </Panel>
  );
}
