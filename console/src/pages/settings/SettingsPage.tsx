import { Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useNavigate, useParams } from 'react-router';
import { may, type Scope } from '../../api/may';
import { sessionQuery } from '../../api/session';
import { Allowed } from '../../parts/Allowed';
import { PageHeader } from '../../parts/PageHeader';
import { AuditSettings } from './AuditSettings';
import { HoldoutSettings } from './HoldoutSettings';
import { IdentitySettings } from './IdentitySettings';
import { KeySettings } from './KeySettings';
import { PasswordSettings } from './PasswordSettings';
import { RoleSettings } from './RoleSettings';
import { UserSettings } from './UserSettings';

interface Section {
  readonly value: string;
  readonly label: string;
  readonly needs?: Scope;
  readonly content: ReactNode;
}

const sections: readonly Section[] = [
  { value: 'keys', label: 'API keys', needs: 'admin', content: <KeySettings /> },
  { value: 'users', label: 'Users', needs: 'admin', content: <UserSettings /> },
  { value: 'roles', label: 'Roles', needs: 'admin', content: <RoleSettings /> },
  { value: 'identity', label: 'Identity rules', content: <IdentitySettings /> },
  { value: 'audit', label: 'Audit log', needs: 'admin', content: <AuditSettings /> },
  { value: 'holdout', label: 'Universal holdout', content: <HoldoutSettings /> },
  { value: 'password', label: 'Password', content: <PasswordSettings /> },
];

export function SettingsPage() {
  const { section } = useParams();
  const navigate = useNavigate();
  const session = useQuery(sessionQuery);
  const shown = sections.filter(({ needs }) => needs === undefined || may(session.data, needs));
  const first = shown[0]?.value ?? 'password';
  // An address of a part that is not for one's role is answered, not passed over.
  const asked = sections.find((each) => each.value === section);
  const open = asked?.value ?? first;
  return (
    <>
      <PageHeader title="Settings" />
      <Tabs
        value={open}
        keepMounted={false}
        onChange={(value) => {
          void navigate(`/settings/${value ?? first}`, { replace: true });
        }}
      >
        <Tabs.List mb="md">
          {shown.map((each) => (
            <Tabs.Tab key={each.value} value={each.value}>
              {each.label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {sections.map((each) => (
          <Tabs.Panel key={each.value} value={each.value}>
            {each.needs === undefined ? each.content : <Allowed needs={each.needs}>{each.content}</Allowed>}
          </Tabs.Panel>
        ))}
      </Tabs>
    </>
  );
}
