import { Tabs } from '@mantine/core';
import { useNavigate, useParams } from 'react-router';
import { PageHeader } from '../../parts/PageHeader';
import { AttributesPanel } from './AttributesPanel';
import { BoardPanel } from './BoardPanel';
import { ComputingBar } from './ComputingBar';
import { MovesPanel } from './MovesPanel';
import { RfmPanel } from './RfmPanel';
import './lifecycle.css';

const views = [
  { value: 'board', label: 'Board', content: <BoardPanel /> },
  { value: 'rfm', label: 'RFM', content: <RfmPanel /> },
  { value: 'moves', label: 'Moves', content: <MovesPanel /> },
  { value: 'attributes', label: 'Attributes', content: <AttributesPanel /> },
] as const;

/** Where people stand in their life as customers, and what is computed of them. */
export function LifecyclePage() {
  const { view } = useParams();
  const navigate = useNavigate();
  const open = views.find((each) => each.value === view)?.value ?? 'board';
  return (
    <>
      <PageHeader title="Lifecycle" note="Where people stand as customers, where they move, and what is computed of them from their events." />
      <ComputingBar />
      <Tabs
        value={open}
        keepMounted={false}
        onChange={(value) => {
          void navigate(`/lifecycle/${value ?? 'board'}`);
        }}
      >
        <Tabs.List mb="md">
          {views.map((each) => (
            <Tabs.Tab key={each.value} value={each.value}>
              {each.label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {views.map((each) => (
          <Tabs.Panel key={each.value} value={each.value}>
            {each.content}
          </Tabs.Panel>
        ))}
      </Tabs>
    </>
  );
}
