import assert from 'node:assert/strict';

/** Chooses an option of a list that can be searched. */
async function choose(page, within, label, option) {
  await within.getByRole('combobox', { name: label, exact: true }).click();
  await page.getByRole('option', { name: option, exact: true }).click();
}

/** A purpose that campaigns can rest on. */
async function purpose(page) {
  const status = await page.evaluate(async () => {
    const answer = await fetch('/v1/purposes/outbound-news', {
      method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: '{"title": "News"}', signal: AbortSignal.timeout(10_000),
    });
    return answer.status;
  });
  assert.equal(status, 200);
}

/** A template is filled in, opened as a graph, changed, saved, started and stopped. */
export async function leadThroughScenario(session, base) {
  const { page } = session;
  await page.goto(`${base}/scenarios/templates`);
  await purpose(page);
  await page.reload();
  await page.getByRole('button', { name: 'Use Cart abandoned' }).click();
  const dialog = page.getByRole('dialog', { name: 'Cart abandoned' });
  await choose(page, dialog, 'Decision point that chooses offer, channel and creative', 'home-hero');
  await choose(page, dialog, 'Purpose for which people gave consent', 'outbound-news');
  await dialog.getByRole('button', { name: 'Open in the editor' }).click();
  await page.getByRole('heading', { name: 'New scenario', level: 1 }).waitFor();
  const nodes = page.locator('.react-flow__node');
  await nodes.first().waitFor();
  assert.equal(await nodes.count(), 7);
  assert.equal(await page.locator('.react-flow__edge').count() >= 6, true);
  await page.getByRole('button', { name: '+ wait' }).click();
  assert.equal(await nodes.count(), 8);
  await page.getByLabel('Key').fill('e2e-cart');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('is required: the id of the node that follows').first().waitFor(); // the new node leads nowhere
  session.takeFaults(); // the browser itself reports the answer of 422
  await page.locator('.q-node', { hasText: 'wait-1' }).click();
  await page.keyboard.press('Delete');
  await page.waitForFunction(() => document.querySelectorAll('.react-flow__node').length === 7);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'Where people are' }).waitFor();
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await page.getByText('running', { exact: true }).waitFor();
  await session.screenshot('scenario-light');
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.getByText('stopped', { exact: true }).waitFor();
}

/** A campaign without a basis is refused; with one it is saved and tried without sending. */
export async function tryCampaign(session, base) {
  const { page } = session;
  await page.goto(`${base}/campaigns/new`);
  await page.getByLabel('Name').fill('E2E letter');
  await choose(page, page, 'Decision point', 'home-hero');
  await page.getByLabel('Everybody').check();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('nobody is contacted without a basis').first().waitFor();
  session.takeFaults(); // as above
  await choose(page, page, 'Basis', 'Consent: it was given');
  await choose(page, page, 'Purpose', 'outbound-news');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'E2E letter', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Try it' }).click();
  await page.getByRole('table', { name: 'What becomes of them' }).waitFor();
  await session.screenshot('campaign-light');
  // Its version that was changed can be seen beside the present one, and comes back.
  await page.getByRole('link', { name: 'Edit' }).click();
  await page.getByLabel('Name').fill('E2E letter of autumn');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'E2E letter of autumn', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Difference to now' }).click();
  await page.getByRole('table', { name: 'Difference of version 1' }).getByRole('cell', { name: '"E2E letter of autumn"' }).waitFor();
  await session.screenshot('campaign-versions-light');
  await page.getByRole('button', { name: 'Go back to it' }).click();
  await page.getByRole('heading', { name: 'E2E letter', exact: true, level: 1 }).waitFor();
  await page.getByText('Version 3').waitFor();
  await page.goto(`${base}/campaigns`);
  await page.getByRole('link', { name: /E2E letter/ }).first().waitFor();
}
