import { Tabs } from '@mantine/core';
import { useNavigate, useParams } from 'react-router';
import { PageHeader } from '../../parts/PageHeader';
import { CategoriesView } from './CategoriesView';
import { FeedsView } from './FeedsView';
import { ItemsView } from './ItemsView';
import './catalogue.css';

const views = [
  { value: 'items', label: 'Items', content: <ItemsView /> },
  { value: 'categories', label: 'Categories', content: <CategoriesView /> },
  { value: 'feeds', label: 'Feeds', content: <FeedsView /> },
] as const;

/** What can be recommended, how it is ordered, and where it comes from. */
export function CataloguePage() {
  const { view } = useParams();
  const navigate = useNavigate();
  const open = views.find((each) => each.value === view)?.value ?? 'items';
  return (
    <>
      <PageHeader title="Catalogue" note="The items that can be recommended, their categories, and the feeds that bring them." />
      <Tabs
        value={open}
        keepMounted={false}
        onChange={(value) => {
          void navigate(value === null || value === 'items' ? '/catalogue' : `/catalogue/${value}`);
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
