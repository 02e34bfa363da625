import { IconChartBar, IconFileUpload, IconGitFork, IconHeartHandshake, IconLayoutDashboard, IconRecycle, IconSettings, IconUsers, IconWebhook, IconUsersGroup, type Icon } from '@tabler/icons-react';

/** A place of the console that the navigation leads to. */
export interface Place {
  readonly to: string;
  readonly label: string;
  /** Pressed after g, it leads here. */
  readonly key: string;
  readonly icon: Icon;
}

export const places: readonly Place[] = [
  { to: '/', label: 'Overview', key: 'o', icon: IconLayoutDashboard },
  { to: '/experiments', label: 'Experiments', key: 'e', icon: IconChartBar },
  { to: '/decision-points', label: 'Decision points', key: 'd', icon: IconGitFork },
  { to: '/profiles', label: 'Profiles', key: 'p', icon: IconUsers },
  { to: '/segments', label: 'Segments', key: 'm', icon: IconUsersGroup },
  { to: '/lifecycle', label: 'Lifecycle', key: 'l', icon: IconRecycle },
  { to: '/experience', label: 'Customer experience', key: 'x', icon: IconHeartHandshake },
  { to: '/imports', label: 'Imports', key: 'i', icon: IconFileUpload },
  { to: '/webhooks', label: 'Webhooks', key: 'w', icon: IconWebhook },
  { to: '/settings', label: 'Settings', key: 's', icon: IconSettings },
];
