import type { Report } from '../../api/types';
import { recommendationWords } from './words';
import './result.css';

/** What to do, and why, in one place above all figures. */
export function RecommendationPanel({ report }: { readonly report: Report }) {
  const { title, tone } = recommendationWords(report.recommendation);
  return (
    <section className={`q-recommend q-recommend-${tone}`} aria-label="Recommended decision">
      <div>
        <p className="q-recommend-label">Recommended decision</p>
        <h2 className="q-recommend-title">{title}</h2>
        <p className="q-recommend-reason">{report.recommendation.reason}</p>
      </div>
    </section>
  );
}
