import { useQuery } from '@tanstack/react-query';
import { useParams } from 'react-router';
import { profileQuery } from '../../api/profiles';
import type { Profile } from '../../api/types';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Terms } from '../../parts/Terms';
import { scalarText } from '../../parts/scalar';
import { TimelinePanel } from './TimelinePanel';
import { orderedIdentifiers, personName } from './person';

export function ProfilePage() {
  const { id = '' } = useParams();
  const query = useQuery(profileQuery(id));
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={480} />}>
      {(profile) => (
        <>
          <PageHeader
            parent={{ to: '/profiles', label: 'Profiles' }}
            title={personName(profile)}
            note={
              <>
                <span className="q-mono">{profile.profileId}</span> · last seen <Moment at={profile.lastSeenAt ?? profile.updatedAt} as="ago" />
              </>
            }
          />
          <div className="q-columns">
            <TimelinePanel profile={profile} />
            <div className="q-stack">
              <IdentifiersPanel profile={profile} />
              <TraitsPanel profile={profile} />
            </div>
          </div>
        </>
      )}
    </Loaded>
  );
}

function IdentifiersPanel({ profile }: { readonly profile: Profile }) {
  return (
    <Panel title="Identifiers">
      <Terms
        entries={orderedIdentifiers(profile).map((identifier) => [
          identifier.namespace,
          <span key={identifier.value}>
            {identifier.value}
            {identifier.firstSeen !== undefined && (
              <span className="q-faint">
                {' '}
                since <Moment at={identifier.firstSeen} />
              </span>
            )}
          </span>,
        ])}
      />
    </Panel>
  );
}

function TraitsPanel({ profile }: { readonly profile: Profile }) {
  const traits = Object.entries(profile.traits as Record<string, unknown>).sort(([a], [b]) => a.localeCompare(b));
  return (
    <Panel title="Traits" note={traits.length === 0 ? 'Nothing is known of this person beyond the identifiers.' : undefined}>
      <Terms entries={traits.map(([name, value]) => [name, scalarText(value)])} />
    </Panel>
  );
}
