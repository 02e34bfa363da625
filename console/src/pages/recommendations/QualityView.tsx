import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconChartDots } from '@tabler/icons-react';
import { recommendersQuery, servedQuery, type RecommenderState, type ServedLists } from '../../api/recommendations';
import { IntervalAxis, IntervalMark } from '../../charts/IntervalMark';
import { intervalScale } from '../../charts/scale';
import { count, noFigure, percent, significant } from '../../format/number';
import { EmptyState } from '../../parts/EmptyState';
import { Figure, Figures } from '../../parts/Figure';
import { Rows, type Column } from '../../parts/List';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { recommenderTitle } from '../catalogue/words';
import { HistoryPanel } from './HistoryPanel';
import { LearnedPanel } from './LearnedPanel';
import './recommendations.css';
import { figureOf, fillRate, sourceTitle } from './words';

/** How good the recommenders are on what they were not shown, and how lists are filled. */
export function QualityView() {
  const state = useQuery(recommendersQuery);
  const served = useQuery(servedQuery);
  return (
    <div className="q-stack">
      <Loaded query={served} skeleton={<SkeletonBlock height={90} />}>
        {(lists) => <Totals lists={lists} state={state.data} />}
      </Loaded>
      <Loaded query={state} skeleton={<SkeletonBlock height={260} />}>
        {(data) => (
          <>
            <Offline state={data} />
            <Rankers state={data} />
            <Builds state={data} />
          </>
        )}
      </Loaded>
      <Loaded query={served} skeleton={<SkeletonBlock height={160} />}>
        {(lists) => <Served lists={lists} />}
      </Loaded>
      <HistoryPanel />
      <LearnedPanel />
    </div>
  );
}

function Totals({ lists, state }: { readonly lists: ServedLists; readonly state: RecommenderState | undefined }) {
  const sum = (of: (each: ServedLists['placements'][number]) => number) => lists.placements.reduce((all, each) => all + of(each), 0);
  const asked = sum((each) => each.asked);
  const given = sum((each) => each.given);
  const all = sum((each) => each.lists);
  const through = state?.version?.report.through;
  return (
    <Figures>
      <Figure label="Lists served" value={count(all)} note={<>since <Moment at={lists.since} /></>} />
      <Figure label="Fill rate" value={percent(asked === 0 ? undefined : given / asked)} note="items given of those asked for" />
      <Figure label="Fall-backs" value={percent(all === 0 ? undefined : sum((each) => each.fallBack) / all)} note="lists with nothing of the person or the items named" />
      <Figure label="Catalogue shown" value={percent(lists.offered === 0 ? undefined : Math.min(1, lists.shown / lists.offered))} note={`${count(lists.shown)} items since the build, ${count(lists.offered)} offered`} />
      <Figure label="Build" value={state?.version === undefined ? noFigure : <Moment at={state.version.builtAt} as="ago" />} note={through === undefined ? 'none yet' : <>events through <Moment at={through} /></>} />
    </Figures>
  );
}

const measures = ['hit rate', 'recall', 'NDCG', 'MAP'] as const;

const offlineColumns: readonly Column[] = [
  { label: 'Recommender' },
  { label: 'NDCG@10, 95% interval' },
  ...measures.map((label) => ({ label: `${label === 'hit rate' ? 'Hit rate' : label === 'recall' ? 'Recall' : label}@10`, number: true })),
  { label: 'Catalogue share', number: true },
];

function Offline({ state }: { readonly state: RecommenderState }) {
  const report = state.version?.report;
  const names = Object.keys(report?.figures ?? {});
  if (report === undefined || names.length === 0) {
    return (
      <Panel title="Offline quality">
        <EmptyState icon={<IconChartDots size={20} />} title="Nothing to judge by yet">
          {report?.refused !== undefined && report.refused !== '' ? `The last build says: ${report.refused}.` : 'It needs events that name products, and people who come back.'}
        </EmptyState>
      </Panel>
    );
  }
  const rows = names
    .map((name) => ({ name, ndcg: figureOf(report, name, 'NDCG') }))
    .sort((a, b) => (b.ndcg?.value ?? 0) - (a.ndcg?.value ?? 0));
  const intervals = rows.flatMap(({ ndcg }) => (ndcg === undefined ? [] : [{ estimate: ndcg.value, lower: ndcg.lower, upper: ndcg.upper }]));
  const scale = intervalScale(intervals, 3);
  const champion = report.personal === '' ? 'popular' : 'personal';
  return (
    <Panel
      title="Offline quality"
      note={`On the last tenth of the time, of models that were trained on what was before: ${count(report.judged)} people who came back. Catalogue share is of all items those that anybody was shown.`}
      flush
    >
      <Rows columns={offlineColumns} minWidth={860}>
        {rows.map(({ name, ndcg }) => (
          <Table.Tr key={name}>
            <Table.Td>
              {recommenderTitle(name)} {name === champion && <Tag tone="better">champion</Tag>}
              {name === 'personal' && report.refused !== undefined && report.refused !== '' && (
                <>
                  <Tag tone="warning">refused</Tag>
                  <span className="q-list-note">{report.refused}</span>
                </>
              )}
            </Table.Td>
            <Table.Td>
              {ndcg === undefined ? (
                <span className="q-faint">{noFigure}</span>
              ) : (
                <IntervalMark
                  interval={{ estimate: ndcg.value, lower: ndcg.lower, upper: ndcg.upper }}
                  scale={scale}
                  verdict="unclear"
                  label={`${recommenderTitle(name)}: NDCG at 10 ${significant(ndcg.value)}, 95% interval ${significant(ndcg.lower)} to ${significant(ndcg.upper)}`}
                />
              )}
            </Table.Td>
            {measures.map((measure) => {
              const found = figureOf(report, name, measure);
              return (
                <Table.Td key={measure} className="q-number">
                  {significant(found?.value)}
                  {found !== undefined && (
                    <span className="q-list-note">
                      {significant(found.lower)} to {significant(found.upper)}
                    </span>
                  )}
                </Table.Td>
              );
            })}
            <Table.Td className="q-number">{percent(figureOf(report, name, 'coverage')?.value)}</Table.Td>
          </Table.Tr>
        ))}
        <Table.Tr>
          <Table.Td />
          <Table.Td>
            <IntervalAxis scale={scale} format={(value) => significant(value, 2)} />
          </Table.Td>
          <Table.Td colSpan={measures.length + 1} />
        </Table.Tr>
      </Rows>
    </Panel>
  );
}

const rankerColumns: readonly Column[] = [
  { label: 'Ranker' },
  { label: 'Learned from' },
  { label: 'Its order', number: true },
  { label: 'Retrieval', number: true },
  { label: 'Popular', number: true },
  { label: 'Over retrieval', number: true },
  { label: 'Foreseen / taken', number: true },
  { label: 'Catalogue share', number: true },
];

type JudgedFigure = RecommenderState['rankers'][number]['report']['ranker'];

const between = ({ lower, upper }: JudgedFigure) => `${significant(lower)} to ${significant(upper)}`;

/** The rankers that were learned, and what the gate said of each. */
function Rankers({ state }: { readonly state: RecommenderState }) {
  if (state.rankers.length === 0) return null;
  return (
    <Panel title="Rankers" note="What orders the candidates: the newest decides. One that is not better than retrieval and popularity on a later time is refused, and the ranks of the sources order lists." flush>
      <Rows columns={rankerColumns} minWidth={860}>
        {state.rankers.map(({ version, learnedAt, accepted, report }, n) => (
          <Table.Tr key={version}>
            <Table.Td style={{ minWidth: 220, maxWidth: 320 }}>
              version {version} <Tag tone={accepted ? (n === 0 ? 'better' : 'quiet') : 'warning'}>{accepted ? (n === 0 ? 'champion' : 'passed') : 'refused'}</Tag>
              <span className="q-list-note">
                <Moment at={learnedAt} as="ago" />
                {report.refused !== undefined && `: ${report.refused}`}
              </span>
            </Table.Td>
            <Table.Td>
              {report.from}
              <span className="q-list-note">{report.method ?? ''}</span>
            </Table.Td>
            <Table.Td className="q-number">
              {significant(report.ranker.value)}
              <span className="q-list-note">{between(report.ranker)}</span>
            </Table.Td>
            <Table.Td className="q-number">{significant(report.retrieval.value)}</Table.Td>
            <Table.Td className="q-number">{significant(report.popular.value)}</Table.Td>
            <Table.Td className="q-number">
              {significant(report.overRetrieval.value)}
              <span className="q-list-note">{between(report.overRetrieval)}</span>
            </Table.Td>
            <Table.Td className="q-number">
              {percent(report.predicted)} / {percent(report.observed)}
            </Table.Td>
            <Table.Td className="q-number">{percent(report.coverage)}</Table.Td>
          </Table.Tr>
        ))}
      </Rows>
    </Panel>
  );
}

const buildColumns: readonly Column[] = [
  { label: 'Build' },
  { label: 'Personal lists' },
  { label: 'NDCG@10', number: true },
  { label: 'Interactions', number: true },
  { label: 'People', number: true },
  { label: 'Events through' },
  { label: 'Seconds', number: true },
];

function Builds({ state }: { readonly state: RecommenderState }) {
  if (state.builds.length === 0) return null;
  return (
    <Panel title="Freshness" note="A build is made when interactions grew by 5%, or after an hour with anything new. Events between builds count at once for whoever did them." flush>
      <Rows columns={buildColumns} minWidth={760}>
        {state.builds.map(({ version, builtAt, report }) => (
          <Table.Tr key={version}>
            <Table.Td>
              version {version} {version === state.version?.version && <Tag tone="better">in use</Tag>}
              <span className="q-list-note">
                <Moment at={builtAt} as="ago" />
              </span>
            </Table.Td>
            <Table.Td>{report.personal === '' ? <Tag tone="warning" title={report.refused ?? ''}>none</Tag> : report.personal}</Table.Td>
            <Table.Td className="q-number">{significant(figureOf(report, 'personal', 'NDCG')?.value)}</Table.Td>
            <Table.Td className="q-number">{count(report.events)}</Table.Td>
            <Table.Td className="q-number">{count(report.people)}</Table.Td>
            <Table.Td>
              <Moment at={report.through} />
            </Table.Td>
            <Table.Td className="q-number">{significant(report.seconds)}</Table.Td>
          </Table.Tr>
        ))}
      </Rows>
    </Panel>
  );
}

const servedColumns: readonly Column[] = [
  { label: 'Placement' },
  { label: 'Lists', number: true },
  { label: 'Fill rate' },
  { label: 'Personal', number: true },
  { label: 'Fall-backs', number: true },
  { label: 'Empty', number: true },
  { label: 'Filled by' },
];

function Served({ lists }: { readonly lists: ServedLists }) {
  if (lists.placements.length === 0) {
    return (
      <Panel title="Lists by placement">
        <EmptyState icon={<IconChartDots size={20} />} title="No list was asked for yet">
          Lists are counted since this process started. Previews are not.
        </EmptyState>
      </Panel>
    );
  }
  return (
    <Panel title="Lists by placement" note="Since this process started. A fall-back is a list of which every item is popular, trends, is new or pinned." flush>
      <Rows columns={servedColumns} minWidth={820}>
        {lists.placements.map((each) => {
          const fill = fillRate(each);
          return (
            <Table.Tr key={each.placement}>
              <Table.Td className="q-mono">{each.placement}</Table.Td>
              <Table.Td className="q-number">{count(each.lists)}</Table.Td>
              <Table.Td className="q-list-plain">
                <span className="q-fill" aria-hidden="true">
                  <span style={{ width: `${((fill ?? 0) * 100).toFixed(1)}%` }} />
                </span>
                {percent(fill)}
              </Table.Td>
              <Table.Td className="q-number">{percent(each.personal / each.lists)}</Table.Td>
              <Table.Td className="q-number">{percent(each.fallBack / each.lists)}</Table.Td>
              <Table.Td className="q-number">{count(each.empty)}</Table.Td>
              <Table.Td className="q-muted">
                {Object.entries(each.reasons)
                  .sort(([, a], [, b]) => b - a)
                  .map(([reason, items]) => `${sourceTitle(reason)} ${percent(items / each.given, 0)}`)
                  .join(', ')}
              </Table.Td>
            </Table.Tr>
          );
        })}
      </Rows>
    </Panel>
  );
}
