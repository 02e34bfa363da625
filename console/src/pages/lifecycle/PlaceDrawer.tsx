import { Drawer, Stack, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from 'react-router';
import { makePlaceSegment, placePeopleQuery, placeSegmentKey, type PlaceAttribute } from '../../api/lifecycle';
import type { Board, LifecycleRule, LifecycleTable, Place } from '../../api/types';
import { count, fixed, noFigure, percent } from '../../format/number';
import { ActionButton } from '../../parts/ActionButton';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonRows } from '../../parts/Skeletons';
import { Terms } from '../../parts/Terms';
import { rfmRules, ruleWords } from './words';
import './board.css';

/** What kind of place is shown. */
export type PlaceKind = 'stage' | 'segment' | 'loss' | 'rfm' | '';

interface PlaceDrawerProps {
  readonly kind: PlaceKind;
  readonly placeKey: string;
  readonly board: Board;
  readonly table: LifecycleTable | undefined;
  /** Whether the board is of a moment that is past; people are those of now. */
  readonly past: boolean;
  readonly onClose: () => void;
}

const attributes: Readonly<Record<Exclude<PlaceKind, ''>, PlaceAttribute>> = {
  stage: 'stage',
  segment: 'lifecycleSegment',
  loss: 'losses',
  rfm: 'rfmSegment',
};

const titles: Readonly<Record<PlaceKind, string>> = { stage: 'Stage', segment: 'Segment', loss: 'Loss', rfm: 'RFM segment', '': '' };

/** The definition of a stage, segment or loss in words, its figures, and its people. */
export function PlaceDrawer({ kind, placeKey, board, table, past, onClose }: PlaceDrawerProps) {
  const places: Readonly<Partial<Record<string, readonly Place[]>>> = { stage: board.stages, segment: board.segments, loss: board.losses, rfm: board.rfmSegments };
  const place = places[kind]?.find((each) => each.key === placeKey);
  const rules: Readonly<Partial<Record<string, readonly LifecycleRule[] | null | undefined>>> = {
    stage: table?.stages,
    segment: table?.segments,
    loss: table?.losses,
    rfm: rfmRules(table?.rfm),
  };
  const list = rules[kind] ?? [];
  const index = list.findIndex((each) => each.key === placeKey);
  const rule = list[index];
  return (
    <Drawer
      opened={place !== undefined}
      onClose={onClose}
      position="right"
      size="md"
      overlayProps={{ backgroundOpacity: 0.4, blur: 2 }}
      styles={{ content: { background: 'var(--q-surface)' }, header: { background: 'var(--q-surface)' }, title: { fontWeight: 600 } }}
      title={place === undefined ? '' : `${titles[kind]}: ${place.name || place.key}`}
    >
      {place !== undefined && kind !== '' && (
        <Stack gap="lg">
          {rule !== undefined && <Definition rule={rule} index={index} of={list.length} exclusive={kind !== 'loss'} />}
          <PlaceFigures place={place} of={kind === 'rfm' ? 'all customers' : 'all'} />
          <People attribute={attributes[kind]} place={place} past={past} />
        </Stack>
      )}
    </Drawer>
  );
}

interface DefinitionProps {
  readonly rule: LifecycleRule;
  readonly index: number;
  readonly of: number;
  readonly exclusive: boolean;
}

function Definition({ rule, index, of, exclusive }: DefinitionProps) {
  const groups = ruleWords(rule);
  return (
    <section>
      <h3 className="q-drawer-title">Definition</h3>
      {rule.description !== undefined && <p className="q-drawer-text">{rule.description}</p>}
      {groups.length === 0 && <p className="q-drawer-text">Everybody whom no other rule holds.</p>}
      {groups.map((conditions, number) => (
        <div key={conditions.join()} className="q-rule">
          {number > 0 && <p className="q-rule-or">or</p>}
          <ul>
            {conditions.map((condition) => (
              <li key={condition}>{condition}</li>
            ))}
          </ul>
        </div>
      ))}
      {exclusive && (
        <p className="q-muted q-drawer-text">
          Rule {index + 1} of {of}: the first that holds decides{index > 0 ? `, so nobody is here whom one of the ${index.toString()} before holds` : ''}.
        </p>
      )}
    </section>
  );
}

function PlaceFigures({ place, of }: { readonly place: Place; readonly of: string }) {
  return (
    <section>
      <h3 className="q-drawer-title">Figures</h3>
      <Terms
        entries={[
          ['People', `${count(place.people)}, ${percent(place.share)} of ${of}`],
          ['Orders', place.orders > 0 ? `${count(place.orders)}, ${fixed(place.orders / place.people, 2)} a person` : count(place.orders)],
          ['Spend', `${fixed(place.spend, 2)}, ${percent(place.spendShare)} of all`],
          ['Average order', place.orders > 0 ? fixed(place.spend / place.orders, 2) : noFigure],
        ]}
      />
    </section>
  );
}

interface PeopleProps {
  readonly attribute: PlaceAttribute;
  readonly place: Place;
  readonly past: boolean;
}

function People({ attribute, place, past }: PeopleProps) {
  const queries = useQueryClient();
  const query = placePeopleQuery(attribute, place.key);
  const people = useQuery(query);
  const make = useMutation({
    mutationFn: () => makePlaceSegment(attribute, place.key, place.name || place.key),
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: query.queryKey }), queries.invalidateQueries({ queryKey: ['segments'] })]),
  });
  const key = placeSegmentKey(attribute, place.key);
  return (
    <section>
      <h3 className="q-drawer-title">People</h3>
      {past && <p className="q-muted q-drawer-text">Those who are here now, not on the day of the board.</p>}
      <Loaded query={people} skeleton={<SkeletonRows rows={4} />}>
        {(data) =>
          data.there ? (
            <>
              {data.people.length === 0 && <p className="q-drawer-text">{data.ready ? 'Nobody is here now.' : 'Everybody is being looked at.'}</p>}
              <ul className="q-people">
                {data.people.map((person) => (
                  <li key={person.profileId}>
                    <Link className="q-link q-clip" to={`/profiles/${person.profileId}`}>
                      {person.identifier}
                    </Link>
                    <span className="q-muted">
                      seen <Moment at={person.lastSeenAt} />
                    </span>
                  </li>
                ))}
              </ul>
              <Link className="q-link" to={`/segments/${encodeURIComponent(key)}`}>
                Open the segment {key}
              </Link>
            </>
          ) : (
            <>
              <Text size="sm" c="dimmed">
                People are listed by a segment. None was made of this one yet.
              </Text>
              {make.isError && <ProblemPanel error={make.error} />}
              <div style={{ marginTop: 12 }}>
                <ActionButton
                  needs="define"
                  variant="default"
                  loading={make.isPending}
                  onClick={() => {
                    make.mutate();
                  }}
                >
                  Make the segment {key}
                </ActionButton>
              </div>
            </>
          )
        }
      </Loaded>
    </section>
  );
}
