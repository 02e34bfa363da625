import { Tabs } from '@mantine/core';
import { useNavigate, useParams } from 'react-router';
import { PageHeader } from '../../parts/PageHeader';
import { QuarantineView } from './QuarantineView';
import { SchemasView } from './SchemasView';
import { SourcesView } from './SourcesView';
import './sources.css';

const views = [
  { value: 'all', label: 'Sources', content: <SourcesView /> },
  { value: 'quarantine', label: 'Quarantine', content: <QuarantineView /> },
  { value: 'schemas', label: 'Event schemas', content: <SchemasView /> },
] as const;

/** What comes in: how each source does, what was refused, and what events have to look like. */
export function SourcesPage() {
  const { view } = useParams();
  const navigate = useNavigate();
  const open = views.find((each) => each.value === view)?.value ?? 'all';
  return (
    <>
      <PageHeader title="Sources and quality" note="What your systems send, whether it is complete and in time, and what was refused." />
      <Tabs
        value={open}
        keepMounted={false}
        onChange={(value) => {
          void navigate(value === null || value === 'all' ? '/sources' : `/sources/${value}`);
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
