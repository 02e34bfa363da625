import { createBrowserRouter } from 'react-router';
import { NotFound } from '../layout/NotFound';
import { RequireSession } from '../layout/RequireSession';
import { LoginPage } from '../pages/login/LoginPage';
import { OverviewPage } from '../pages/overview/OverviewPage';

// The pages that most sessions begin with are in the first bundle; the others
// come when they are opened.
export const router = createBrowserRouter([
  { path: '/login', element: <LoginPage /> },
  {
    path: '/',
    element: <RequireSession />,
    children: [
      { index: true, element: <OverviewPage /> },
      {
        path: 'experiments',
        lazy: async () => ({ Component: (await import('../pages/experiments/ExperimentsPage')).ExperimentsPage }),
      },
      {
        path: 'experiments/new',
        lazy: async () => ({ Component: (await import('../pages/experiments/WizardPage')).WizardPage }),
      },
      {
        path: 'experiments/:key/edit',
        lazy: async () => ({ Component: (await import('../pages/experiments/WizardPage')).WizardPage }),
      },
      {
        path: 'experiments/:key',
        lazy: async () => ({ Component: (await import('../pages/experiments/ReportPage')).ReportPage }),
      },
      {
        path: 'feature-flags',
        lazy: async () => ({ Component: (await import('../pages/flags/FlagsPage')).FlagsPage }),
      },
      {
        path: 'feature-flags/:key',
        lazy: async () => ({ Component: (await import('../pages/flags/FlagPage')).FlagPage }),
      },
      {
        path: 'measures',
        lazy: async () => ({ Component: (await import('../pages/metrics/MetricsPage')).MetricsPage }),
      },
      {
        path: 'measures/:key',
        lazy: async () => ({ Component: (await import('../pages/metrics/MetricPage')).MetricPage }),
      },
      {
        path: 'holdouts',
        lazy: async () => ({ Component: (await import('../pages/holdouts/HoldoutsPage')).HoldoutsPage }),
      },
      {
        path: 'limits',
        lazy: async () => ({ Component: (await import('../pages/limits/LimitsPage')).LimitsPage }),
      },
      {
        path: 'catalogue/items/:key',
        lazy: async () => ({ Component: (await import('../pages/catalogue/ItemPage')).ItemPage }),
      },
      {
        path: 'catalogue/feeds/:key',
        lazy: async () => ({ Component: (await import('../pages/catalogue/FeedPage')).FeedPage }),
      },
      {
        path: 'catalogue/:view?',
        lazy: async () => ({ Component: (await import('../pages/catalogue/CataloguePage')).CataloguePage }),
      },
      {
        path: 'recommendations/rules/:key',
        lazy: async () => ({ Component: (await import('../pages/recommendations/RulePage')).RulePage }),
      },
      {
        path: 'recommendations/:view?',
        lazy: async () => ({ Component: (await import('../pages/recommendations/RecommendationsPage')).RecommendationsPage }),
      },
      {
        path: 'models',
        lazy: async () => ({ Component: (await import('../pages/models/ModelsPage')).ModelsPage }),
      },
      {
        path: 'models/:key',
        lazy: async () => ({ Component: (await import('../pages/models/ModelPage')).ModelPage }),
      },
      {
        path: 'channels',
        lazy: async () => ({ Component: (await import('../pages/channels/ChannelsPage')).ChannelsPage }),
      },
      {
        path: 'campaigns',
        lazy: async () => ({ Component: (await import('../pages/campaigns/CampaignsPage')).CampaignsPage }),
      },
      {
        path: 'campaigns/new',
        lazy: async () => ({ Component: (await import('../pages/campaigns/CampaignEditorPage')).CampaignEditorPage }),
      },
      {
        path: 'campaigns/:key',
        lazy: async () => ({ Component: (await import('../pages/campaigns/CampaignPage')).CampaignPage }),
      },
      {
        path: 'campaigns/:key/edit',
        lazy: async () => ({ Component: (await import('../pages/campaigns/CampaignEditorPage')).CampaignEditorPage }),
      },
      {
        path: 'scenarios',
        lazy: async () => ({ Component: (await import('../pages/scenarios/ScenariosPage')).ScenariosPage }),
      },
      {
        path: 'scenarios/new',
        lazy: async () => ({ Component: (await import('../pages/scenarios/ScenarioEditorPage')).ScenarioEditorPage }),
      },
      {
        path: 'scenarios/templates',
        lazy: async () => ({ Component: (await import('../pages/scenarios/TemplatesPage')).TemplatesPage }),
      },
      {
        path: 'scenarios/:key',
        lazy: async () => ({ Component: (await import('../pages/scenarios/ScenarioPage')).ScenarioPage }),
      },
      {
        path: 'scenarios/:key/edit',
        lazy: async () => ({ Component: (await import('../pages/scenarios/ScenarioEditorPage')).ScenarioEditorPage }),
      },
      {
        path: 'decision-points',
        lazy: async () => ({ Component: (await import('../pages/decision-points/PointsPage')).PointsPage }),
      },
      {
        path: 'decision-points/new',
        lazy: async () => ({ Component: (await import('../pages/decision-points/PointEditorPage')).PointEditorPage }),
      },
      {
        path: 'decision-points/:key/edit',
        lazy: async () => ({ Component: (await import('../pages/decision-points/PointEditorPage')).PointEditorPage }),
      },
      {
        path: 'decision-points/:key',
        lazy: async () => ({ Component: (await import('../pages/decision-points/PointPage')).PointPage }),
      },
      {
        path: 'decision-points/:key/policy',
        lazy: async () => ({ Component: (await import('../pages/policies/PolicyPage')).PolicyPage }),
      },
      {
        path: 'profiles',
        lazy: async () => ({ Component: (await import('../pages/profiles/ProfilesPage')).ProfilesPage }),
      },
      {
        path: 'profiles/:id',
        lazy: async () => ({ Component: (await import('../pages/profiles/ProfilePage')).ProfilePage }),
      },
      {
        path: 'lifecycle/:view?',
        lazy: async () => ({ Component: (await import('../pages/lifecycle/LifecyclePage')).LifecyclePage }),
      },
      {
        path: 'experience/:section?',
        lazy: async () => ({ Component: (await import('../pages/experience/ExperiencePage')).ExperiencePage }),
      },
      {
        path: 'segments',
        lazy: async () => ({ Component: (await import('../pages/segments/SegmentsPage')).SegmentsPage }),
      },
      {
        path: 'segments/new',
        lazy: async () => ({ Component: (await import('../pages/segments/SegmentEditorPage')).SegmentEditorPage }),
      },
      {
        path: 'segments/:key',
        lazy: async () => ({ Component: (await import('../pages/segments/SegmentPage')).SegmentPage }),
      },
      {
        path: 'segments/:key/edit',
        lazy: async () => ({ Component: (await import('../pages/segments/SegmentEditorPage')).SegmentEditorPage }),
      },
      {
        path: 'sources/of/:id',
        lazy: async () => ({ Component: (await import('../pages/sources/SourcePage')).SourcePage }),
      },
      {
        path: 'sources/:view?',
        lazy: async () => ({ Component: (await import('../pages/sources/SourcesPage')).SourcesPage }),
      },
      {
        path: 'privacy/:view?',
        lazy: async () => ({ Component: (await import('../pages/privacy/PrivacyPage')).PrivacyPage }),
      },
      {
        path: 'imports',
        lazy: async () => ({ Component: (await import('../pages/imports/ImportsPage')).ImportsPage }),
      },
      {
        path: 'webhooks',
        lazy: async () => ({ Component: (await import('../pages/webhooks/WebhooksPage')).WebhooksPage }),
      },
      {
        path: 'webhooks/:key',
        lazy: async () => ({ Component: (await import('../pages/webhooks/WebhookPage')).WebhookPage }),
      },
      {
        path: 'decisions/:id',
        lazy: async () => ({ Component: (await import('../pages/decisions/DecisionPage')).DecisionPage }),
      },
      {
        path: 'settings/:section?',
        lazy: async () => ({ Component: (await import('../pages/settings/SettingsPage')).SettingsPage }),
      },
      { path: '*', element: <NotFound /> },
    ],
  },
]);
