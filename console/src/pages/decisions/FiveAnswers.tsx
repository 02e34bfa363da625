import { Link } from 'react-router';
import type { DecisionRecord } from '../../api/types';
import { noFigure, probability } from '../../format/number';
import { dayAndTime, isMoment } from '../../format/time';

interface Answer {
  readonly question: string;
  readonly value: React.ReactNode;
  readonly note: string;
}

function answers(record: DecisionRecord): Answer[] {
  const { propensities, eligible, offer, channel, creative, items } = record;
  const chance = (value: number) => (eligible ? `propensity ${probability(value)}` : '');
  const nothing = record.action === 'none' ? 'nothing' : noFigure;
  const itemCount = (items ?? []).length;
  const reasons = (record.reasons ?? []).join(', ');
  return [
    {
      question: 'Who',
      value: (
        <Link className="q-quiet" to={`/profiles/${encodeURIComponent(record.profileId)}`} title={record.profileId}>
          {record.profileId.slice(0, 10)}
        </Link>
      ),
      note: eligible ? `eligible, ${record.group}` : `not eligible: ${reasons === '' ? 'no action was left' : reasons}`,
    },
    {
      question: 'What',
      value: offer || nothing,
      note: [chance(propensities.what), itemCount > 0 ? `${itemCount.toString()} items` : ''].filter(Boolean).join(' · '),
    },
    { question: 'Where', value: channel || noFigure, note: chance(propensities.where) },
    {
      question: 'When',
      value: isMoment(record.sendAt) ? dayAndTime(record.sendAt) : noFigure,
      note: chance(propensities.when),
    },
    { question: 'How', value: creative || noFigure, note: chance(propensities.how) },
  ];
}

/** The five answers of a decision, and how their propensities multiply. */
export function FiveAnswers({ record }: { readonly record: DecisionRecord }) {
  const { what, where, when, how } = record.propensities;
  return (
    <section aria-label="The five answers">
      <dl className="q-answers">
        {answers(record).map((answer) => (
          <div key={answer.question} className="q-answer">
            <dt>{answer.question}</dt>
            <dd>
              <span className="q-answer-value">{answer.value}</span>
              <span className="q-answer-note">{answer.note}</span>
            </dd>
          </div>
        ))}
      </dl>
      {record.eligible && (
        <p className="q-product">
          What {probability(what)} × where {probability(where)} × when {probability(when)} × how {probability(how)} = propensity{' '}
          <strong>{probability(record.propensity)}</strong>
        </p>
      )}
    </section>
  );
}
