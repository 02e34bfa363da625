import assert from 'node:assert/strict';

/** Answers to a survey, of which the score is known: 6 promoters, 3 passives and 3 detractors of 12. */
const scores = [10, 10, 9, 9, 9, 10, 8, 7, 7, 6, 3, 0];

/** Answers come in and make a score with its interval; every metric has a card and a page. */
export async function readExperience(session, base) {
  const { page } = session;
  await page.goto(`${base}/experience`);
  const sent = await page.evaluate(async (answers) => {
    const batch = answers.map((score, index) => ({
      type: 'track',
      userId: `story-answer-${index}`,
      event: 'Survey Answered',
      messageId: `story-answer-${index}-${Date.now()}`,
      properties: { kind: 'nps', score },
    }));
    const tracked = await fetch('/v1/batch', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ batch }) });
    // Whoever computes waits for what was acknowledged before.
    const computed = await fetch('/v1/attribute-status/compute', { method: 'POST' });
    return [tracked.status, computed.status];
  }, scores);
  assert.deepEqual(sent, [200, 200]);
  await page.goto(`${base}/experience`);
  const row = page.locator('tr', { hasText: '6 promoters, 3 passive, 3 detractors' });
  await row.waitFor();
  await row.getByText('+25.0', { exact: true }).waitFor();
  await row.getByText('−21.9 to +71.9').waitFor();
  await page.getByRole('img', { name: /^Net promoter score by month/ }).locator('svg').waitFor();
  assert.equal(await page.getByRole('navigation', { name: 'Metrics' }).getByRole('link').count(), 9);
  await session.screenshot('experience-light');
  await page.getByRole('link', { name: /^Average order/ }).click();
  await page.getByRole('img', { name: /^Average order by month/ }).locator('svg').waitFor();
  await page.getByText('Days', { exact: true }).click();
  await page.getByRole('img', { name: /^Average order by day/ }).locator('svg').waitFor();
  await page.getByLabel('Segment', { exact: true }).first().click();
  await page.getByRole('option', { name: 'Grow and keep' }).click();
  await page.getByText('Of those who are there now.').waitFor();
  assert.match(page.url(), /segment=stage%3Agrow/);
  await page.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null);
  await session.screenshot('experience-order-light');
}

/** Spend with a wrong row is refused with its line; mended it is recorded, and winning a customer costs something. */
export async function recordSpend(session, base) {
  const { page } = session;
  const day = new Date().toISOString().slice(0, 10);
  await page.goto(`${base}/experience/spend`);
  const csv = page.getByLabel('Spend as CSV');
  await csv.fill(`day,channel,campaign,amount,currency\n${day},search,brand,120.50,EUR\n\n${day},social,,eighty,EUR\n`);
  await page.getByRole('button', { name: 'Record 2 rows' }).click();
  const fault = page.getByRole('alert').locator('tbody tr');
  await fault.getByText('must be a number').waitFor();
  assert.deepEqual(await fault.locator('td').allTextContents(), ['4', 'amount', 'must be a number', `${day},social,,eighty,EUR`]);
  await session.screenshot('spend-refused-light');
  // The browser reports the 422 that was wanted here.
  assert.deepEqual(session.takeFaults().filter((each) => !/422/.test(each)), []);
  await csv.fill(`day,channel,campaign,amount,currency\n${day},search,brand,120.50,EUR\n${day},social,,80,EUR\n`);
  await page.getByRole('button', { name: 'Record 2 rows' }).click();
  await page.getByText('2 rows are recorded.').waitFor();
  await page.locator('tr', { hasText: 'brand' }).getByText('120.50').waitFor();
  await session.screenshot('spend-light');
  await page.goto(`${base}/experience?metric=acquisition-cost`);
  const cost = page.locator('tr', { hasText: /^(?=.*EUR)(?=.*201 by [\d,]+ new customers)/ });
  await cost.waitFor();
}

/** The settings refuse what makes no sense at the field, and keep what does. */
export async function setSurveys(session, base) {
  const { page } = session;
  await page.goto(`${base}/experience/settings`);
  const active = page.getByLabel('Active for');
  await active.fill('9999');
  await page.getByRole('button', { name: 'Save settings' }).click();
  await page.getByText('must be 1 to 3660').last().waitFor();
  assert.deepEqual(session.takeFaults().filter((each) => !/422/.test(each)), []);
  await active.fill('60');
  await page.getByRole('button', { name: 'Save settings' }).click();
  await page.getByText('The settings are saved.').waitFor();
  await page.reload();
  await page.getByRole('button', { name: 'Save settings' }).waitFor();
  assert.equal(await active.inputValue(), '60 days');
  await session.screenshot('experience-settings-light');
}
