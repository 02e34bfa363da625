import assert from 'node:assert/strict';

const liveRows = 'section:has-text("Live decisions") tbody tr';
const why = 'a[href^="/decisions/"]';

/** The newest decision on the overview changes by itself, and the chart is drawn. */
export async function seeTraffic(session) {
  const { page } = session;
  const newest = page.locator(`${liveRows} >> nth=0`).locator(why);
  await newest.waitFor({ timeout: 60_000 });
  const first = await newest.getAttribute('href');
  await page.waitForFunction(
    ([selector, link, href]) => document.querySelector(selector)?.querySelector(link)?.getAttribute('href') !== href,
    ['.q-decisions tbody tr', why, first],
    { timeout: 60_000 },
  );
  await page.getByRole('img', { name: /^Decisions per minute/ }).locator('svg').waitFor();
  await page.getByText('Log is up to date').waitFor();
  await session.screenshot('overview-light');
}

/** Skip link, going to places, and finding a person, without a mouse. */
export async function useKeyboard(session) {
  const { page } = session;
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to content');
  for (const [key, heading] of [
    ['e', 'Experiments'],
    ['f', 'Flags'],
    ['t', 'Metrics'],
    ['h', 'Holdouts'],
    ['d', 'Decision points'],
    ['p', 'Profiles'],
    ['l', 'Lifecycle'],
    ['x', 'Customer experience'],
    ['q', 'Sources and quality'],
    ['y', 'Privacy'],
    ['s', 'Settings'],
    ['o', 'Overview'],
  ]) {
    await page.keyboard.press('g');
    await page.keyboard.press(key);
    await page.getByRole('heading', { name: heading, level: 1, exact: true }).waitFor();
  }
  await page.keyboard.press('?');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });

  const id = await knownIdentifier(page);
  await page.keyboard.press('/');
  await page.keyboard.type(id);
  await page.getByRole('option').first().waitFor();
  await session.screenshot('search-light');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/profiles\/.+/);
  await page.getByRole('heading', { name: 'Timeline' }).waitFor();
}

/** An identifier of somebody that the service knows, as the API tells it. */
async function knownIdentifier(page) {
  const found = await page.evaluate(async () => {
    const answer = await fetch('/v1/profiles?limit=20');
    return answer.ok ? (await answer.json()).items : [];
  });
  const identifier = found.flatMap((profile) => profile.identifiers ?? [])[0]?.value;
  assert.ok(identifier, 'no profile has an identifier');
  return identifier;
}

/** Checks stand above the figures, intervals are drawn on both scales, and the SQL is there. */
export async function openReport(session, base) {
  const { page } = session;
  await page.goto(`${base}/experiments`);
  const running = page.locator('tbody tr', { hasText: 'running' }).first();
  await running.waitFor();
  await session.screenshot('experiments-light');
  await running.getByRole('link').first().click();
  await page.getByRole('heading', { name: 'Checks' }).waitFor({ timeout: 60_000 });
  await page.getByText('Sample ratio', { exact: true }).waitFor();
  const marks = page.locator('.q-interval');
  if ((await marks.count()) === 0) await page.getByText('Absolute', { exact: true }).click();
  await marks.first().waitFor();
  assert.match(await marks.first().getAttribute('aria-label'), /95% interval .+ to .+/);
  const checks = await page.getByRole('heading', { name: 'Checks' }).boundingBox();
  const figures = await marks.first().boundingBox();
  assert.ok(checks.y < figures.y, 'the checks stand above the figures');
  await session.screenshot('report-light');
  await page.getByText('Absolute', { exact: true }).click();
  await marks.first().waitFor();
  await page.getByRole('button', { name: /SQL behind the figures/ }).click();
  await page.locator('pre', { hasText: /SELECT/i }).first().waitFor();
  await session.screenshot('report-absolute-light');
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.getByRole('dialog', { name: /Stop this experiment/ }).waitFor();
  await session.screenshot('report-stop-light');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
}

/** From the live list to "why": words, five answers, candidates, draw, replay; then on to the person. */
export async function explainDecision(session, base) {
  const { page } = session;
  await page.goto(`${base}/`);
  await page.getByRole('button', { name: 'Pause' }).click({ timeout: 60_000 });
  const chosen = page.locator(liveRows, { hasText: '/' }).filter({ hasNotText: 'control' });
  const row = (await chosen.count()) > 0 ? chosen.first() : page.locator(liveRows).first();
  await row.locator(why).click();
  await page.getByRole('heading', { name: 'In plain words' }).waitFor();
  await page.getByText('Agrees bit for bit').waitFor();
  for (const question of ['Who', 'What', 'Where', 'When', 'How']) {
    await page.locator('dt', { hasText: new RegExp(`^${question}$`) }).waitFor();
  }
  await page.getByRole('img', { name: /^The draw 0\.\d+ falls on/ }).waitFor();
  assert.equal(await page.locator('.q-candidates-chosen').count(), 1, 'one candidate is marked as chosen');
  await session.screenshot('why-light');
  await page.getByRole('link', { name: 'Profile', exact: true }).click();
  await page.getByRole('heading', { name: 'Timeline' }).waitFor();
  // The row that was opened is among the person's decisions, each with its own "why".
  await page.locator(`.q-timeline ${why}`).first().waitFor();
  await session.screenshot('profile-light');
}
