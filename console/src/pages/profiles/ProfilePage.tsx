import { useQuery } from '@tanstack/react-query';
import { Navigate, useParams } from 'react-router';
import { attributesQuery, profileQuery } from '../../api/profiles';
import type { Profile } from '../../api/types';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { PageHeader } from '../../parts/PageHeader';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { isMasked } from './attributes';
import { AttributesPanel } from './AttributesPanel';
import { ConsentsPanel } from './ConsentsPanel';
import { ErasePerson } from './ErasePerson';
import { ExportPerson } from './ExportPerson';
import { IdentityPanel } from './IdentityPanel';
import { personName } from './person';
import { PredictionsPanel } from './PredictionsPanel';
import { SegmentsPanel } from './SegmentsPanel';
import { TimelinePanel } from './TimelinePanel';
import { TraitsPanel } from './TraitsPanel';

/** One person: what happened, who they are, what is known and what is allowed. */
export function ProfilePage() {
  const { id = '' } = useParams();
  const query = useQuery(profileQuery(id));
  return (
    <Loaded query={query} skeleton={<SkeletonBlock height={480} />}>
      {(profile) =>
        // Every id of a person leads here; the address says the person's own.
        profile.profileId !== id && !query.isPlaceholderData ? (
          <Navigate to={`/profiles/${encodeURIComponent(profile.profileId)}`} replace />
        ) : (
          <Person profile={profile} />
        )
      }
    </Loaded>
  );
}

function Person({ profile }: { readonly profile: Profile }) {
  const name = personName(profile);
  const masked = [...Object.values(profile.traits as Record<string, unknown>), ...(profile.identifiers ?? []).map(({ value }) => value)].some(isMasked);
  return (
    <>
      <PageHeader
        parent={{ to: '/profiles', label: 'Profiles' }}
        title={name}
        badges={<Stage id={profile.profileId} />}
        note={
          <>
            <span className="q-mono">{profile.profileId}</span> · last seen <Moment at={profile.lastSeenAt ?? profile.updatedAt} as="ago" />
            {(profile.profiles ?? []).length > 1 && ` · ${(profile.profiles ?? []).length.toString()} profiles joined`}
          </>
        }
        actions={
          <>
            <ExportPerson id={profile.profileId} />
            <ErasePerson id={profile.profileId} />
          </>
        }
      />
      {masked && (
        <p className="q-person-masked" role="note">
          Your role sees personal data only in part: “•••” stands for what is left out.
        </p>
      )}
      <div className="q-columns">
        <TimelinePanel profile={profile} />
        <div className="q-stack">
          <IdentityPanel id={profile.profileId} name={name} />
          <ConsentsPanel id={profile.profileId} identifiers={profile.identifiers ?? []} />
          <TraitsPanel profile={profile} />
          <PredictionsPanel id={profile.profileId} />
          <AttributesPanel id={profile.profileId} />
          <SegmentsPanel profile={profile} />
        </div>
      </div>
    </>
  );
}

function Stage({ id }: { readonly id: string }) {
  const attributes = useQuery(attributesQuery(id));
  const values = (attributes.data?.attributes ?? {}) as Record<string, unknown>;
  const { stage, lifecycleSegment: segment } = values as { stage?: unknown; lifecycleSegment?: unknown };
  return (
    <>
      {typeof stage === 'string' && (
        <Tag tone="accent" title="Lifecycle stage">
          {stage}
        </Tag>
      )}
      {typeof segment === 'string' && <Tag title="Lifecycle segment">{segment}</Tag>}
    </>
  );
}
