import type { Delivery } from '../../api/channels';
import { Moment } from '../../parts/Moment';
import { Tag } from '../../parts/Tag';
import { answersOf, attemptsNote, planOf } from './cascade';
import { stateTone } from './words';
import './cascade.css';

/** On which channels a message was tried, in order, with what came back of each, and which would follow. */
export function CascadeView({ delivery }: { readonly delivery: Delivery }) {
  return (
    <ol className="q-cascade">
      {planOf(delivery).map(({ channel, step, waits }, place) => (
        <li key={place}>
          <div className="q-cascade-head">
            <strong>{channel}</strong>
            <Tag tone={step ? stateTone(step.state as Delivery['state']) : 'quiet'}>{step ? step.state : 'not tried'}</Tag>
            {step && <span className="q-faint">{attemptsNote(step.attempts)}</span>}
          </div>
          {step?.reason && <p className="q-cascade-reason">{step.reason}</p>}
          {step && (
            <dl>
              {answersOf(step).map(({ word, at }) => (
                <div key={word}>
                  <dt>{word}</dt>
                  <dd>
                    <Moment at={at} as="second" />
                  </dd>
                </div>
              ))}
            </dl>
          )}
          {waits && <p className="q-faint">{waits}</p>}
        </li>
      ))}
    </ol>
  );
}
