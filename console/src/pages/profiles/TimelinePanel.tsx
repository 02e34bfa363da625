import { SegmentedControl } from '@mantine/core';
import { IconGitFork, IconPointFilled, IconTimeline } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import type { DecisionRow, Profile, ProfileEvent } from '../../api/types';
import { probability } from '../../format/number';
import { dayOf } from '../../format/time';
import { ActionName } from '../../parts/ActionName';
import { EmptyState } from '../../parts/EmptyState';
import { Group } from '../../parts/Group';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { briefText, scalarText } from '../../parts/scalar';
import { eventName, timeline, type Entry, type Part } from './timeline';
import './timeline.css';

const parts: readonly { readonly value: Part; readonly label: string }[] = [
  { value: 'all', label: 'All' },
  { value: 'decisions', label: 'Decisions' },
  { value: 'events', label: 'Events' },
];

/** What happened to one person, and what was decided for them, in one line. */
export function TimelinePanel({ profile }: { readonly profile: Profile }) {
  const [part, setPart] = useState<Part>('all');
  const entries = timeline(profile, part);
  return (
    <Panel
      title="Timeline"
      note="The latest events and decisions. Each decision opens its explanation."
      actions={
        <SegmentedControl
          size="xs"
          aria-label="Part of the timeline"
          value={part}
          data={[...parts]}
          onChange={(value) => {
            setPart(parts.find((each) => each.value === value)?.value ?? 'all');
          }}
        />
      }
    >
      {(profile.missing ?? []).length > 0 && (
        <p className="q-timeline-missing" role="status">
          Could not be read in time: {(profile.missing ?? []).join(' and ')}. It is tried again by itself.
        </p>
      )}
      {entries.length === 0 ? (
        <EmptyState icon={<IconTimeline size={20} />} title="Nothing here yet" />
      ) : (
        <ol className="q-timeline">
          {entries.map((entry, index) => {
            const day = dayOf(entry.at);
            const previous = entries[index - 1];
            return (
              <li key={entry.key} className={`q-entry q-entry-${entry.kind}`}>
                {(previous === undefined || dayOf(previous.at) !== day) && <div className="q-entry-day">{day}</div>}
                <TimelineEntry entry={entry} />
              </li>
            );
          })}
        </ol>
      )}
    </Panel>
  );
}

function TimelineEntry({ entry }: { readonly entry: Entry }) {
  return (
    <div className="q-entry-row">
      <span className="q-entry-time">
        <Moment at={entry.at} as="clock" />
      </span>
      <span className="q-entry-icon" aria-hidden="true">
        {entry.kind === 'decision' ? <IconGitFork size={14} /> : <IconPointFilled size={14} />}
      </span>
      {entry.kind === 'decision' ? <DecisionEntry decision={entry.decision} /> : <EventEntry event={entry.event} />}
    </div>
  );
}

function DecisionEntry({ decision }: { readonly decision: DecisionRow }) {
  return (
    <div className="q-entry-body">
      <div className="q-entry-line">
        <Link className="q-quiet q-entry-name" to={`/decision-points/${encodeURIComponent(decision.decision)}`}>
          {decision.decision}
        </Link>
        {decision.eligible ? <ActionName action={decision.action} /> : <span className="q-muted">not addressed</span>}
        <Link className="q-link q-entry-why" to={`/decisions/${encodeURIComponent(decision.decisionId)}`}>
          Why<span className="q-hidden-label"> decision {decision.decisionId}</span>
        </Link>
      </div>
      <div className="q-entry-note">
        <Group name={decision.group} />
        {decision.eligible && <> · propensity {probability(decision.propensity)}</>} · {decision.policy}
        {decision.fallback && ' · fallback'}
      </div>
    </div>
  );
}

const shownProperties = 6;

function EventEntry({ event }: { readonly event: ProfileEvent }) {
  const properties = Object.entries((event.properties ?? {}) as Record<string, unknown>).filter(([name]) => name !== 'decisionId');
  return (
    <div className="q-entry-body">
      <div className="q-entry-line">
        <span className="q-entry-name">{eventName(event)}</span>
        {event.decisionId !== undefined && event.decisionId !== '' && (
          <Link className="q-link q-entry-why" to={`/decisions/${encodeURIComponent(event.decisionId)}`}>
            After a decision
          </Link>
        )}
      </div>
      {properties.length > 0 && (
        <div className="q-entry-note">
          {properties.slice(0, shownProperties).map(([name, value]) => (
            <span key={name} className="q-entry-property">
              {name} <b title={scalarText(value)}>{briefText(value)}</b>
            </span>
          ))}
          {properties.length > shownProperties && <span>and {properties.length - shownProperties} more</span>}
        </div>
      )}
    </div>
  );
}
