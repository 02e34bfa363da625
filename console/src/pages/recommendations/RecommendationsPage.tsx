import { Tabs } from '@mantine/core';
import { useNavigate, useParams } from 'react-router';
import { PageHeader } from '../../parts/PageHeader';
import { PreviewPanel } from './PreviewPanel';
import { QualityView } from './QualityView';
import { RulesView } from './RulesView';

const views = [
  { value: 'preview', label: 'Preview', content: <PreviewPanel /> },
  { value: 'rules', label: 'Rules', content: <RulesView /> },
  { value: 'quality', label: 'Quality', content: <QualityView /> },
] as const;

/** What recommenders would show, by which rules, and how well they do. */
export function RecommendationsPage() {
  const { view } = useParams();
  const navigate = useNavigate();
  const open = views.find((each) => each.value === view)?.value ?? 'preview';
  return (
    <>
      <PageHeader title="Recommendations" note="Items of the catalogue for a person, a page, a cart or a search, from what people did with them." />
      <Tabs
        value={open}
        keepMounted={false}
        onChange={(value) => {
          void navigate(value === null || value === 'preview' ? '/recommendations' : `/recommendations/${value}`);
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
