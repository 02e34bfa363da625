import {
  IconBasketHeart,
  IconChartBar,
  IconCrystalBall,
  IconDatabaseSearch,
  IconFileUpload,
  IconFlag,
  IconGitFork,
  IconHandStop,
  IconHeartHandshake,
  IconLayoutDashboard,
  IconPackages,
  IconPlugConnected,
  IconRecycle,
  IconRoute,
  IconRulerMeasure,
  IconRepeatOff,
  IconSend,
  IconSettings,
  IconShieldLock,
  IconUsers,
  IconUsersGroup,
  IconWebhook,
  type Icon,
} from '@tabler/icons-react';
import type { Scope } from '../api/may';

/** A place of the console that the navigation leads to. */
export interface Place {
  readonly to: string;
  readonly label: string;
  /** Pressed after g, it leads here. */
  readonly key: string;
  readonly icon: Icon;
  /** Only who may do this sees anything there. */
  readonly needs?: Scope;
}

/** Places under one heading; the first and the last stand alone. */
export interface PlaceGroup {
  readonly heading: string;
  readonly places: readonly Place[];
}

// /metrics is Prometheus' address and /flags PostHog's, so that the pages have others.
export const groups: readonly PlaceGroup[] = [
  { heading: '', places: [{ to: '/', label: 'Overview', key: 'o', icon: IconLayoutDashboard }] },
  {
    heading: 'Decisions',
    places: [
      { to: '/experiments', label: 'Experiments', key: 'e', icon: IconChartBar },
      { to: '/feature-flags', label: 'Flags', key: 'f', icon: IconFlag },
      { to: '/measures', label: 'Metrics', key: 't', icon: IconRulerMeasure },
      { to: '/holdouts', label: 'Holdouts', key: 'h', icon: IconHandStop },
      { to: '/decision-points', label: 'Decision points', key: 'd', icon: IconGitFork },
      { to: '/recommendations', label: 'Recommendations', key: 'k', icon: IconBasketHeart },
      { to: '/catalogue', label: 'Catalogue', key: 'a', icon: IconPackages },
    ],
  },
  {
    heading: 'Outbound',
    places: [
      { to: '/campaigns', label: 'Campaigns', key: 'c', icon: IconSend },
      { to: '/scenarios', label: 'Scenarios', key: 'r', icon: IconRoute },
      { to: '/channels', label: 'Channels', key: 'v', icon: IconPlugConnected },
      { to: '/limits', label: 'Limits', key: 'n', icon: IconRepeatOff },
    ],
  },
  {
    heading: 'People',
    places: [
      { to: '/profiles', label: 'Profiles', key: 'p', icon: IconUsers },
      { to: '/segments', label: 'Segments', key: 'm', icon: IconUsersGroup },
      { to: '/lifecycle', label: 'Lifecycle', key: 'l', icon: IconRecycle },
      { to: '/models', label: 'Models', key: 'b', icon: IconCrystalBall },
      { to: '/experience', label: 'Customer experience', key: 'x', icon: IconHeartHandshake },
    ],
  },
  {
    heading: 'Data',
    places: [
      { to: '/sources', label: 'Sources and quality', key: 'q', icon: IconDatabaseSearch },
      { to: '/imports', label: 'Imports', key: 'i', icon: IconFileUpload },
      { to: '/webhooks', label: 'Webhooks', key: 'w', icon: IconWebhook, needs: 'admin' },
      { to: '/privacy', label: 'Privacy', key: 'y', icon: IconShieldLock, needs: 'admin' },
    ],
  },
  { heading: '', places: [{ to: '/settings', label: 'Settings', key: 's', icon: IconSettings }] },
];

/** Every place, in the order of the navigation. */
export const places: readonly Place[] = groups.flatMap((group) => group.places);
