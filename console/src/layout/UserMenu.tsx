import { Avatar, Menu, UnstyledButton } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconBook2, IconKeyboard, IconLogout, IconPassword } from '@tabler/icons-react';
import { Link, useNavigate } from 'react-router';
import { sessionQuery, signOut } from '../api/session';
import type { Session } from '../api/types';

interface UserMenuProps {
  readonly session: Session;
  readonly onShortcuts: () => void;
}

export function UserMenu({ session, onShortcuts }: UserMenuProps) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const leave = useMutation({
    mutationFn: signOut,
    onSettled: async () => {
      queries.clear();
      queries.setQueryData(sessionQuery.queryKey, null);
      await navigate('/login');
    },
  });
  const name = session.user.name || session.user.email;
  return (
    <Menu position="bottom-end" width={230} shadow="md">
      <Menu.Target>
        <UnstyledButton aria-label={`Signed in as ${name}`} style={{ borderRadius: '50%' }}>
          <Avatar size={28} radius="xl" color="iris" name={name}>
            {name.slice(0, 1).toUpperCase()}
          </Avatar>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {name}
          {session.user.email !== '' && session.user.email !== name ? ` · ${session.user.email}` : ''}
        </Menu.Label>
        <Menu.Item component={Link} to="/settings/password" leftSection={<IconPassword size={16} stroke={1.7} />}>
          {session.hasPassword ? 'Change password' : 'Set a password'}
        </Menu.Item>
        <Menu.Item leftSection={<IconKeyboard size={16} stroke={1.7} />} onClick={onShortcuts}>
          Keyboard
        </Menu.Item>
        <Menu.Item component="a" href="/docs" target="_blank" rel="noreferrer" leftSection={<IconBook2 size={16} stroke={1.7} />}>
          API documentation
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item
          leftSection={<IconLogout size={16} stroke={1.7} />}
          onClick={() => {
            leave.mutate();
          }}
        >
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
