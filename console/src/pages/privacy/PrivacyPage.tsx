import { Tabs } from '@mantine/core';
import { useNavigate, useParams } from 'react-router';
import { Allowed } from '../../parts/Allowed';
import { PageHeader } from '../../parts/PageHeader';
import { ErasuresView } from './ErasuresView';
import { RetentionView } from './RetentionView';
import './privacy.css';

const views = [
  { value: 'erasures', label: 'Erasures', content: <ErasuresView /> },
  { value: 'retention', label: 'Retention', content: <RetentionView /> },
] as const;

/** What people asked to have erased, and how long things are kept. */
export function PrivacyPage() {
  const { view } = useParams();
  const navigate = useNavigate();
  const open = views.find((each) => each.value === view)?.value ?? 'erasures';
  return (
    <>
      <PageHeader title="Privacy" note="Erasures with their proof, and how long events and decisions are kept. Export and erasure of one person are on their page." />
      <Allowed needs="admin">
        <Tabs
          value={open}
          keepMounted={false}
          onChange={(value) => {
            void navigate(value === null || value === 'erasures' ? '/privacy' : `/privacy/${value}`);
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
      </Allowed>
    </>
  );
}
