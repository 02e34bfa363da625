import { useQuery } from '@tanstack/react-query';
import { attributesQuery } from '../../api/profiles';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Terms } from '../../parts/Terms';
import { isMoment } from '../../format/time';
import { attributeText, attributeTitle, groupedAttributes } from './attributes';
import './person-panels.css';

/** What is computed of the person's events. */
export function AttributesPanel({ id }: { readonly id: string }) {
  const attributes = useQuery(attributesQuery(id));
  const computed = attributes.data?.history?.[0]?.computedAt;
  return (
    <Panel title="Computed attributes" note={computed === undefined ? 'Worked out of the events.' : <>Worked out of the events, last changed <Moment at={computed} as="ago" />.</>}>
      <Loaded query={attributes} skeleton={<SkeletonBlock height={160} />}>
        {(data) => {
          const groups = groupedAttributes(data.attributes as Record<string, unknown>);
          if (groups.length === 0) return <p className="q-person-note">Nothing is computed yet: it is done at intervals, for everybody who did something.</p>;
          return groups.map(({ title, entries }) => (
            <section key={title}>
              <h3 className="q-person-heading">{title}</h3>
              <Terms
                entries={entries.map(([name, value]) => [
                  attributeTitle(name),
                  typeof value === 'string' && name.endsWith('At') && isMoment(value) ? <Moment key={name} at={value} /> : attributeText(name, value),
                ])}
              />
            </section>
          ));
        }}
      </Loaded>
    </Panel>
  );
}
