import { PageHeader } from '../../parts/PageHeader';
import { LearnedPanel } from './LearnedPanel';
import { PreviewPanel } from './PreviewPanel';

/** What recommenders know, and what they would show. */
export function RecommendationsPage() {
  return (
    <>
      <PageHeader title="Recommendations" note="Items of the catalogue for a person, a page, a cart or a search, from what people did with them." />
      <div className="q-stack">
        <PreviewPanel />
        <LearnedPanel />
      </div>
    </>
  );
}
