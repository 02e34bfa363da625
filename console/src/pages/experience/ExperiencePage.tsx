import { Tabs } from '@mantine/core';
import { useNavigate, useParams } from 'react-router';
import { PageHeader } from '../../parts/PageHeader';
import { FiguresView } from './FiguresView';
import { SettingsView } from './SettingsView';
import { SpendView } from './SpendView';
import './experience.css';

const sections = [
  { value: 'figures', label: 'Figures', content: <FiguresView /> },
  { value: 'spend', label: 'Marketing spend', content: <SpendView /> },
  { value: 'settings', label: 'Surveys', content: <SettingsView /> },
] as const;

/** How customers fare: what they answer, whether they come back, what they spend and cost. */
export function ExperiencePage() {
  const { section } = useParams();
  const navigate = useNavigate();
  const open = sections.find((each) => each.value === section)?.value ?? 'figures';
  return (
    <>
      <PageHeader title="Customer experience" note="What customers answer, whether they come back, what they spend on an order and what it costs to win one, with 95% intervals." />
      <Tabs
        value={open}
        keepMounted={false}
        onChange={(value) => {
          void navigate(value === null || value === 'figures' ? '/experience' : `/experience/${value}`);
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
