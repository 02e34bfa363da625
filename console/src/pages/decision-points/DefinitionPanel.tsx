import type { ReactNode } from 'react';
import type { DecisionPoint } from '../../api/types';
import { percent } from '../../format/number';
import { windowOf } from '../../format/time';
import { ActionName } from '../../parts/ActionName';
import { Panel } from '../../parts/Panel';
import { Terms } from '../../parts/Terms';
import { actionCount, objectiveText } from './actionCount';
import { policyText } from './policyText';
import './definition.css';

/** What may be said here (what x where x how), and how one answer is chosen. */
export function DefinitionPanel({ point }: { readonly point: DecisionPoint }) {
  const offers = point.offers ?? [];
  const channels = point.channels ?? [];
  const creatives = point.creatives ?? [];
  const product = Math.max(1, creatives.length) * offers.length * channels.length;
  const { policy, objective } = point;
  const entries: (readonly [string, ReactNode])[] = [
    ['Policy', policyText(policy)],
    ['Objective', `${objectiveText(objective)}${objective?.windowHours === undefined ? '' : `, within ${windowOf(objective.windowHours)}`}`],
    ['Default action', <ActionName key="default" action={point.defaultAction ?? 'none'} />],
  ];
  if (point.audience !== undefined) entries.push(['Audience', <code key="audience">{JSON.stringify(point.audience)}</code>]);
  if (point.when?.mode === 'spread') entries.push(['When', `one of the hours ahead, within ${(point.when.withinHours ?? 24).toString()}`]);
  if (point.costs !== undefined) {
    const { contact, offer = 0, fatigue = 0, hurdle = 0 } = point.costs;
    entries.push(['Costs', [contact === true ? 'the contact' : '', offer > 0 ? `${percent(offer)} of the offer` : '', fatigue > 0 ? `${fatigue.toString()} for every recent contact` : '', hurdle > 0 ? `${hurdle.toString()} at least` : ''].filter(Boolean).join(', ')]);
  }
  if (point.shadow === true) entries.push(['Shadow', 'decides and logs, and sends nothing']);
  if (policy.type === 'bandit') {
    entries.push([
      'Learning',
      `half-life ${(policy.halfLifeDays ?? 30).toString()} days, spread α ${(policy.alpha ?? 0.5).toString()}, at least ${percent((policy.exploration ?? 0.05) / Math.max(1, actionCount(point)))} for every action when all are eligible`,
    ]);
  }
  return (
    <Panel
      title="Definition"
      note={`${offers.length.toString()} offers × ${channels.length.toString()} channels × ${Math.max(1, creatives.length).toString()} creatives = ${product.toString()} actions${point.noneAction === false ? '' : ', and sending nothing'}.`}
    >
      <div className="q-factors">
        <Factor question="What" name="offers" keys={offers} />
        <span className="q-factors-times" aria-hidden="true">
          ×
        </span>
        <Factor question="Where" name="channels" keys={channels} />
        <span className="q-factors-times" aria-hidden="true">
          ×
        </span>
        <Factor
          question="How"
          name="creatives"
          keys={creatives.map((creative) => creative.key)}
          notes={
            new Map(
              creatives.map((creative) => [
                creative.key,
                [creative.tone, creative.emphasis, creative.background, creative.imagery].filter(Boolean).join(', '),
              ]),
            )
          }
        />
      </div>
      <Terms entries={entries} />
    </Panel>
  );
}

interface FactorProps {
  readonly question: string;
  readonly name: string;
  readonly keys: readonly string[];
  readonly notes?: ReadonlyMap<string, string>;
}

function Factor({ question, name, keys, notes }: FactorProps) {
  return (
    <div className="q-factor">
      <p className="q-factor-name">
        {question} <span className="q-faint">{name}</span>
      </p>
      <ul className="q-factor-keys">
        {keys.map((key) => {
          const note = notes?.get(key) ?? '';
          return (
            <li key={key}>
              {key}
              {note !== '' && <span className="q-factor-note">{note}</span>}
            </li>
          );
        })}
        {keys.length === 0 && <li className="q-faint">none</li>}
      </ul>
    </div>
  );
}
