import assert from 'node:assert/strict';

const number = (text) => Number((text ?? '').replaceAll(',', ''));

/** Has everybody computed and reads the board: stages hold everybody, places lead to rules and people. */
export async function seeLifecycle(session, base) {
  const { page } = session;
  // Until everybody was computed once the answer is a 503, which the browser would report.
  for (const end = Date.now() + 60_000; !(await page.request.get(`${base}/v1/lifecycle/board`)).ok(); ) {
    assert.ok(Date.now() < end, 'nobody has been computed');
    await page.waitForTimeout(100);
  }
  await page.goto(`${base}/lifecycle`);
  const computedAt = await compute(page);
  await page.locator(`.q-board-head time[datetime="${computedAt}"]`).waitFor();
  const stages = page.getByRole('region', { name: /^Stage / });
  await stages.first().waitFor();
  assert.equal(await stages.count(), 5);
  assert.equal(await page.locator('.q-segment').count(), 14);
  const board = await page.evaluate(async () => (await fetch('/v1/lifecycle/board', { signal: AbortSignal.timeout(10_000) })).json());
  const shown = await page.locator('.q-stage-count').allTextContents();
  assert.deepEqual(shown.map(number), board.stages.toReversed().map((stage) => stage.people));
  assert.equal(shown.map(number).reduce((a, b) => a + b, 0), board.people);
  assert.equal(await page.locator('section', { has: page.getByRole('heading', { name: 'Losses' }) }).locator('tbody tr').count(), 6);
  await session.screenshot('lifecycle-light');

  await page.getByRole('button', { name: /^Reactivate/ }).focus();
  await page.keyboard.press('Enter');
  const drawer = page.getByRole('dialog', { name: 'Stage: Reactivate' });
  await drawer.getByText('days since the last order: more than 90').waitFor();
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'hidden' });

  const busiest = board.segments.reduce((a, b) => (b.people > a.people ? b : a));
  await page.goto(`${base}/lifecycle?place=segment:${busiest.key}`);
  const people = page.getByRole('dialog', { name: `Segment: ${busiest.name}` });
  const make = people.getByRole('button', { name: `Make the segment lifecycle-${busiest.key}` });
  await make.click();
  await people.locator('a[href^="/profiles/"]').first().waitFor();
  await session.screenshot('lifecycle-people-light');
}

/** The grid's cells add up to the customers, and arrows go from one to the next. */
export async function readRfm(session, base) {
  const { page } = session;
  await page.goto(`${base}/lifecycle/rfm`);
  const cells = page.getByRole('gridcell');
  await cells.first().waitFor();
  assert.equal(await cells.count(), 25);
  const grid = await page.evaluate(async () => (await fetch('/v1/lifecycle/rfm', { signal: AbortSignal.timeout(10_000) })).json());
  const counts = await cells.locator('b').allTextContents();
  assert.equal(counts.map(number).reduce((a, b) => a + b, 0), grid.customers);
  await page.getByRole('gridcell', { name: /^Recency 5, frequency 5:/ }).focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowDown');
  assert.match((await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))) ?? '', /^Recency 4, frequency 4: .+ customers.*, spend/);
  assert.equal(await page.locator('.q-rfm-detail b').first().textContent(), 'R 4, F 4');
  await page.getByText('No code can be called New customers, Promising, Can\'t lose them, Lost').waitFor();
  await session.screenshot('rfm-light');
  await page.locator('.q-rfm-filter').getByText('5', { exact: true }).click();
  const best = grid.codes.filter((code) => code.monetary === 5).reduce((sum, code) => sum + code.people, 0);
  await page.waitForFunction(
    (want) => [...document.querySelectorAll('[role="gridcell"] b')].reduce((sum, cell) => sum + Number(cell.textContent?.replaceAll(',', '')), 0) === want,
    best,
  );
}

/** This month's moves: totals of rows and columns agree. */
export async function readMoves(session, base) {
  const { page } = session;
  await page.goto(`${base}/lifecycle/moves?by=stage`);
  await page.getByRole('heading', { name: /^Biggest moves of / }).waitFor({ timeout: 60_000 });
  const rows = (await page.locator('.q-matrix tbody .q-matrix-total').allTextContents()).map(number);
  const columns = (await page.locator('.q-matrix tfoot .q-matrix-total').allTextContents()).map(number);
  const total = columns.pop();
  assert.equal(rows.reduce((a, b) => a + b, 0), total);
  assert.equal(columns.reduce((a, b) => a + b, 0), total);
  assert.ok(total > 0, 'somebody is in the matrix');
  await session.screenshot('moves-light');
  await page.getByRole('button', { name: 'The month before' }).click();
  await page.waitForURL(/month=\d{4}-\d\d/);
  await page.goto(`${base}/lifecycle/moves?by=stage&month=2001-05`);
  await page.getByText('Nobody was known in this month').waitFor({ timeout: 60_000 });
  await session.screenshot('moves-empty-light');
}

/** An attribute is refused at its field, made, computed, changed and deleted. */
export async function defineAttribute(session, base) {
  const { page } = session;
  const key = `story-${Date.now().toString(36)}`;
  await page.goto(`${base}/lifecycle/attributes`);
  await page.getByText('categoryAffinity').waitFor();
  await page.getByRole('button', { name: 'New attribute' }).click();
  const form = page.getByRole('dialog', { name: 'New attribute' });
  await form.getByLabel('Key').fill(key);
  await form.getByLabel('Window').fill('99999');
  await form.getByRole('button', { name: 'Create attribute' }).click();
  await form.getByText('must be 0 or an hour (1/24) to 3660 days').waitFor();
  assert.equal(await form.getByLabel('Window').getAttribute('aria-invalid'), 'true');
  await session.screenshot('attribute-refused-light');
  // The browser reports the 422 that was wanted here.
  assert.deepEqual(session.takeFaults().filter((fault) => !/422/.test(fault)), []);
  await form.getByLabel('Window').fill('365');
  await form.getByRole('button', { name: 'Create attribute' }).click();
  await form.waitFor({ state: 'hidden' });
  const row = page.locator('tr', { hasText: key });
  await row.getByText('count of Order Completed, last 365 days').waitFor();
  await compute(page);
  await page.waitForFunction((text) => {
    const found = [...document.querySelectorAll('tr')].find((each) => each.textContent?.includes(text));
    return Number(found?.querySelector('td.q-number')?.textContent?.replaceAll(',', '')) > 0;
  }, key);
  await session.screenshot('attributes-light');
  await page.getByRole('button', { name: `Edit ${key}` }).click();
  const change = page.getByRole('dialog', { name: `Change ${key}` });
  await change.getByLabel('Window').fill('30');
  await change.getByRole('button', { name: 'Save attribute' }).click();
  await row.getByText('last 30 days').waitFor();
  await page.getByRole('button', { name: `Delete ${key}` }).click();
  await page.getByRole('dialog', { name: `Delete ${key}?` }).getByRole('button', { name: 'Delete' }).click();
  await row.waitFor({ state: 'detached' });
}

/** Presses the button and waits until the run is done and shown. */
async function compute(page) {
  const ran = page.waitForResponse((answer) => answer.url().endsWith('/v1/attribute-status/compute'), { timeout: 60_000 });
  await page.getByRole('button', { name: 'Compute now' }).click();
  assert.equal((await ran).status(), 200);
  const { computedAt } = await page.evaluate(async () => (await fetch('/v1/attribute-status', { signal: AbortSignal.timeout(10_000) })).json());
  await page.locator(`.q-computing time[datetime="${computedAt}"]`).first().waitFor();
  return computedAt;
}
