import { Tabs } from '@mantine/core';
import { useNavigate, useParams } from 'react-router';
import { PageHeader } from '../../parts/PageHeader';
import { AuditSettings } from './AuditSettings';
import { HoldoutSettings } from './HoldoutSettings';
import { IdentitySettings } from './IdentitySettings';
import { KeySettings } from './KeySettings';
import { PasswordSettings } from './PasswordSettings';
import { RoleSettings } from './RoleSettings';
import { UserSettings } from './UserSettings';

const sections = [
  { value: 'keys', label: 'API keys', content: <KeySettings /> },
  { value: 'users', label: 'Users', content: <UserSettings /> },
  { value: 'roles', label: 'Roles', content: <RoleSettings /> },
  { value: 'identity', label: 'Identity rules', content: <IdentitySettings /> },
  { value: 'audit', label: 'Audit log', content: <AuditSettings /> },
  { value: 'holdout', label: 'Universal holdout', content: <HoldoutSettings /> },
  { value: 'password', label: 'Password', content: <PasswordSettings /> },
] as const;

export function SettingsPage() {
  const { section } = useParams();
  const navigate = useNavigate();
  const open = sections.find((each) => each.value === section)?.value ?? 'keys';
  return (
    <>
      <PageHeader title="Settings" />
      <Tabs
        value={open}
        keepMounted={false}
        onChange={(value) => {
          void navigate(`/settings/${value ?? 'keys'}`, { replace: true });
        }}
      >
        <Tabs.List mb="md">
          {sections.map((each) => (
            <Tabs.Tab key={each.value} value={each.value}>
              {each.label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {sections.map((each) => (
          <Tabs.Panel key={each.value} value={each.value}>
            {each.content}
          </Tabs.Panel>
        ))}
      </Tabs>
    </>
  );
}
