import assert from 'node:assert/strict';

/** Opens every page in both schemes and on a narrow screen, and uses the settings. */
export async function browsePages(session, base) {
  const { page } = session;
  const addresses = await knownAddresses(page, base);
  await useSettings(session, base);
  await page.goto(`${base}/`);
  await page.getByRole('button', { name: 'Switch to the dark theme' }).click();
  await page.locator('html[data-mantine-color-scheme="dark"]').waitFor();
  for (const [name, { path, ready }] of Object.entries(addresses)) {
    await page.goto(base + path);
    await page.getByText(ready).first().waitFor({ timeout: 60_000 });
    await page.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null, undefined, { timeout: 60_000 });
    assert.equal(await page.getByRole('alert').count(), 0, `${path} shows a problem`);
    await session.screenshot(`${name}-dark`);
  }
  await page.goto(`${base}/`);
  await page.getByRole('button', { name: 'Switch to the light theme' }).click();
  await narrowScreen(session, base, addresses);
  await unknownAddresses(session, base);
}

async function knownAddresses(page, base) {
  await page.goto(`${base}/decision-points`);
  const point = await page.locator('tbody a[href^="/decision-points/"]').first().getAttribute('href');
  await page.goto(`${base}/experiments`);
  const running = page.locator('tbody tr', { hasText: 'running' }).first();
  const experiment = await running.locator('a[href^="/experiments/"]').first().getAttribute('href');
  await page.goto(`${base}/`);
  const treated = page.locator('tbody tr', { hasText: 'treated' }).first();
  await treated.waitFor();
  const decision = await treated.locator('a[href^="/decisions/"]').getAttribute('href');
  const profile = await treated.locator('a[href^="/profiles/"]').getAttribute('href');
  return {
    overview: { path: '/', ready: 'Live decisions' },
    experiments: { path: '/experiments', ready: 'Split' },
    report: { path: experiment, ready: 'Checks' },
    wizard: { path: '/experiments/new', ready: 'What you expect to happen' },
    recommendations: { path: '/recommendations', ready: 'Placement' },
    rules: { path: '/recommendations/rules', ready: 'story-home' },
    rule: { path: '/recommendations/rules/story-home', ready: 'Before and after' },
    quality: { path: '/recommendations/quality', ready: 'Lists by placement' },
    catalogue: { path: '/catalogue', ready: 'Standing' },
    categories: { path: '/catalogue/categories', ready: 'Of its own' },
    item: { path: '/catalogue/items/story-1', ready: 'What recommenders know' },
    feeds: { path: '/catalogue/feeds', ready: 'in-the-story' },
    feed: { path: '/catalogue/feeds/in-the-story', ready: 'Rejected rows' },
    metrics: { path: '/measures', ready: 'What it says' },
    metric: { path: '/measures/ordering', ready: 'In words' },
    flags: { path: '/feature-flags', ready: 'No flags yet' },
    holdouts: { path: '/holdouts', ready: 'What the programme brings' },
    campaigns: { path: '/campaigns', ready: 'Calendar' },
    channels: { path: '/channels', ready: 'Drivers' },
    scenarios: { path: '/scenarios', ready: 'e2e-cart' },
    scenario: { path: '/scenarios/e2e-cart', ready: 'Where people are' },
    templates: { path: '/scenarios/templates', ready: 'Win-back with a promo code' },
    points: { path: '/decision-points', ready: 'Objective' },
    point: { path: point, ready: 'Mean propensity' },
    models: { path: '/models', ready: 'Leavers in the story' },
    model: { path: '/models/leavers-in-the-story', ready: 'What matters' },
    profiles: { path: '/profiles', ready: 'Last seen' },
    profile: { path: profile, ready: 'Timeline' },
    segments: { path: '/segments', ready: 'seen-in-the-story' },
    segment: { path: '/segments/seen-in-the-story', ready: 'Version 1' },
    'segment-editor': { path: '/segments/seen-in-the-story/edit', ready: 'In words' },
    lifecycle: { path: '/lifecycle', ready: 'Losses' },
    rfm: { path: '/lifecycle/rfm', ready: 'Recency by frequency' },
    moves: { path: '/lifecycle/moves?by=segment', ready: 'From where to where' },
    attributes: { path: '/lifecycle/attributes', ready: 'categoryAffinity' },
    experience: { path: '/experience', ready: 'By period' },
    retention: { path: '/experience?metric=retention&period=day', ready: 'Cohorts' },
    spend: { path: '/experience/spend', ready: 'Campaign' },
    surveys: { path: '/experience/settings', ready: 'Survey events' },
    why: { path: decision, ready: 'In plain words' },
    holdout: { path: '/experiments/universal-holdout', ready: 'Checks' },
    sources: { path: '/sources', ready: 'In quarantine' },
    privacy: { path: '/privacy', ready: 'Refused identifiers' },
    retention: { path: '/privacy/retention', ready: 'Retention rules' },
    settings: { path: '/settings', ready: 'API keys' },
  };
}

/** A key is made, shown once and revoked; the holdout's share and the password form are there. */
async function useSettings(session, base) {
  const { page } = session;
  const name = `story ${Date.now().toString(36)}`;
  await page.goto(`${base}/settings`);
  await page.getByRole('button', { name: 'New key' }).click();
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('decide', { exact: true }).uncheck();
  await session.screenshot('new-key-light');
  await page.getByRole('button', { name: 'Create key' }).click();
  const secret = await page.locator('pre', { hasText: 'qk_' }).textContent();
  assert.match(secret ?? '', /^qk_\S{20,}$/);
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: `Revoke ${name}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.equal(await page.getByText(name).count(), 0);
  await page.getByRole('button', { name: /^Show \d+ revoked/ }).click();
  await page.locator('tr', { hasText: name }).getByText(/^revoked/).waitFor();
  assert.equal(await page.getByRole('button', { name: `Revoke ${name}` }).count(), 0);
  await session.screenshot('settings-light');
  await page.getByRole('tab', { name: 'Universal holdout' }).click();
  await page.getByLabel('Share of people').waitFor();
  await session.screenshot('settings-holdout-light');
  await page.getByRole('tab', { name: 'Password' }).click();
  await page.getByLabel('New password').waitFor();
}

/** On a telephone nothing sticks out sideways, and the navigation opens. */
async function narrowScreen(session, base, addresses) {
  const { page } = session;
  const wide = page.viewportSize();
  await page.setViewportSize({ width: 390, height: 844 });
  for (const name of ['overview', 'experiments', 'report', 'wizard', 'metrics', 'metric', 'flags', 'rule', 'quality', 'catalogue', 'item', 'feed', 'holdouts', 'point', 'why', 'lifecycle', 'rfm', 'moves', 'attributes', 'experience', 'spend', 'profile', 'model', 'segment', 'segment-editor']) {
    const { path, ready } = addresses[name];
    await page.goto(base + path);
    await page.getByText(ready).first().waitFor({ timeout: 60_000 });
    await page.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(over <= 0, `${path} is ${over} pixels wider than a telephone`);
    await session.screenshot(`${name}-narrow`);
  }
  await page.getByRole('button', { name: 'Navigation', exact: true }).click();
  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByRole('heading', { name: 'Settings', level: 1 }).waitFor();
  await page.setViewportSize(wide);
}

/** What does not exist is said to be so. */
async function unknownAddresses(session, base) {
  const { page } = session;
  await page.goto(`${base}/nowhere`);
  await page.getByText('There is no page here').waitFor();
  assert.deepEqual(session.takeFaults(), []);
  await page.goto(`${base}/decisions/01ARZ3NDEKTSV4RRFFQ69G5FAV`);
  await page.getByRole('alert').waitFor();
  await session.screenshot('unknown-decision-light');
  // The browser reports the 404 that this page asked for.
  const others = session.takeFaults().filter((fault) => !/404/.test(fault));
  assert.deepEqual(others, []);
}
