import { useQuery } from '@tanstack/react-query';
import { recommendersQuery, type RecommenderState } from '../../api/recommendations';
import { count, noFigure } from '../../format/number';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Terms } from '../../parts/Terms';
import { methodWords, qualityWords } from './words';

/** What was learned, and how well it does on what it was not shown. */
export function LearnedPanel() {
  const query = useQuery(recommendersQuery);
  return (
    <Panel title="What was learned" note="The last tenth of the time is hidden while learning and judges it. Personal lists that are worse than what is popular are not used.">
      <Loaded query={query} skeleton={<SkeletonBlock height={160} />}>
        {(state) => <Learned state={state} />}
      </Loaded>
    </Panel>
  );
}

function Learned({ state }: { readonly state: RecommenderState }) {
  const build = state.version;
  const catalogue = `${count(state.items)} items, ${count(state.inStock)} of them can be sold`;
  if (build === undefined) {
    return (
      <Terms
        entries={[
          ['Catalogue', catalogue],
          ['Build', 'None yet: it needs events that name products.'],
        ]}
      />
    );
  }
  const { report } = build;
  return (
    <Terms
      entries={[
        ['Catalogue', catalogue],
        [
          'Build',
          <>
            version {build.version}, <Moment at={build.builtAt} as="ago" />
          </>,
        ],
        ['Learned from', `${count(report.events)} interactions of ${count(report.people)} people`],
        ['Personal lists', methodWords(report)],
        ['NDCG@10, personal', qualityWords(report, 'personal') ?? noFigure],
        ['NDCG@10, popular', qualityWords(report, 'popular') ?? noFigure],
        ['Judged by', `${count(report.judged)} people who came back`],
      ]}
    />
  );
}
