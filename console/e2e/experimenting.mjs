import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

const settled = (page) => page.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null);
const figure = async (locator) => Number((await locator.textContent())?.replace(/\D/g, ''));

/** From a hypothesis to a draft: metrics, audience, split, and people that follow the slider. */
export async function planExperiment(session, base) {
  const { page } = session;
  const mark = Date.now().toString(36);
  await page.goto(`${base}/experiments`);
  await page.getByRole('link', { name: 'New experiment' }).click();
  await page.getByLabel('Name', { exact: true }).fill(`Free delivery ${mark}`);
  assert.equal(await page.getByLabel('Key', { exact: true }).inputValue(), `free-delivery-${mark}`);
  await page.getByLabel('Hypothesis', { exact: true }).fill('More people order, as delivery is what they leave for.');
  await session.screenshot('wizard-hypothesis-light');
  await page.getByRole('button', { name: 'Metrics', exact: true }).last().click();
  await page.getByText('Choose at least one metric that decides.').waitFor();
  await page.getByLabel('They decide', { exact: true }).first().click();
  await page.getByRole('option', { name: 'People who order' }).click();
  await page.keyboard.press('Escape');
  await page.getByText('Share of people with “Order Completed”').waitFor();
  await page.getByRole('button', { name: 'Guardrail', exact: true }).click();
  await page.getByLabel('Metric of guardrail 1').selectOption({ label: 'Margin per person' });
  await page.getByLabel('What guardrail 1 does').selectOption('stop');
  await session.screenshot('wizard-metrics-light');
  await page.getByRole('button', { name: 'Audience', exact: true }).last().click();
  await page.getByLabel('A condition').check();
  await page.getByLabel('Condition', { exact: true }).fill('{"age": ');
  await page.getByText('The condition is not JSON.').waitFor();
  await page.getByLabel('Everybody', { exact: true }).check();
  await session.screenshot('wizard-audience-light');
  await page.getByRole('button', { name: 'Split', exact: true }).last().click();
  await page.getByRole('button', { name: 'Arm', exact: true }).click();
  assert.equal(await page.getByLabel('Share of variant-2').inputValue(), '33.34 %');
  await page.getByRole('button', { name: 'Remove variant-2' }).click();
  await page.getByLabel('Share of variant', { exact: true }).fill('40');
  await page.getByText('The arms together have 90%, not 100%.').waitFor();
  await page.getByRole('button', { name: 'Split evenly' }).click();
  await session.screenshot('wizard-split-light');
  await page.getByRole('button', { name: 'Power', exact: true }).last().click();
  const people = page.getByTestId('plan-people');
  await people.waitFor();
  const before = await figure(people);
  const slider = page.getByRole('slider', { name: 'Smallest effect worth seeing' });
  await slider.focus();
  for (let press = 0; press < 12; press++) await page.keyboard.press('ArrowRight');
  await page.waitForFunction((was) => Number(document.querySelector('[data-testid="plan-people"]')?.textContent?.replace(/\D/g, '')) < was, before);
  const fewer = await figure(people);
  assert.ok(fewer > 0 && fewer < before, `${before} people for a small effect, ${fewer} for a larger one`);
  await page.getByLabel('How it is looked at').selectOption('fixed');
  await page.waitForFunction((was) => Number(document.querySelector('[data-testid="plan-people"]')?.textContent?.replace(/\D/g, '')) < was, fewer);
  await page.getByLabel('How it is looked at').selectOption('sequential');
  await page.getByRole('img', { name: /^Chance to see the effect by week/ }).locator('svg').waitFor();
  await session.screenshot('wizard-power-light');
  await page.getByRole('button', { name: 'Review', exact: true }).last().click();
  await page.getByText('margin-per-person (−2%)').waitFor();
  await session.screenshot('wizard-review-light');
  await page.getByRole('button', { name: 'Save as a draft' }).click();
  await page.getByText('Not started yet').waitFor();
  await page.getByText('was made').waitFor();
  await leadThroughLife(session);
}

/** Review, back, start, stop, archive: with reasons that stand in the change log. */
async function leadThroughLife(session) {
  const { page } = session;
  const step = async (label, reason) => {
    const dialog = page.getByRole('dialog');
    if (reason !== undefined) await dialog.getByLabel('Why').fill(reason);
    await dialog.getByRole('button', { name: label, exact: true }).click();
    await dialog.waitFor({ state: 'hidden' });
  };
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Submit for review' }).click();
  await step('Submit for review');
  await page.getByRole('button', { name: 'Approve' }).waitFor();
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Send back' }).click();
  await step('Send back', 'the story is not over');
  await page.getByText('“the story is not over”').waitFor();
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await step('Start');
  await page.getByText('running', { exact: true }).first().waitFor();
  await page.getByRole('heading', { name: 'Checks' }).waitFor();
  await session.screenshot('experiment-new-light');
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await step('Stop', 'it was a story');
  await page.getByRole('button', { name: 'Archive', exact: true }).click();
  await step('Archive');
  await page.getByText('archived', { exact: true }).first().waitFor();
  await page.getByText('was archived').waitFor();
  // A draft has no report, and a stopped one is asked for it again while it changes.
  assert.deepEqual(session.takeFaults().filter((fault) => !/40[49]|422/.test(fault)), []);
}

/** The result: what to do, the course over time, groups of people, one person's variant, and a file. */
export async function readResult(session, base) {
  const { page } = session;
  await page.goto(`${base}/experiments`);
  const row = page.locator('tbody tr', { hasText: 'hero-learning' });
  await row.locator('.q-tag').nth(1).waitFor();
  await session.screenshot('experiments-health-light');
  await row.getByRole('link').first().click();
  await page.getByRole('region', { name: 'Recommended decision' }).waitFor({ timeout: 60_000 });
  await page.getByRole('img', { name: /^Effect of learned on/ }).locator('svg').waitFor();
  await page.getByRole('heading', { name: 'Distribution' }).waitFor();
  await page.getByRole('combobox', { name: 'Dimension' }).fill('trait.city');
  await page.keyboard.press('Enter');
  await page.getByText(/comparisons are taken into account/).waitFor({ timeout: 60_000 });
  const found = await page.evaluate(async () => (await (await fetch('/v1/decisions?limit=20')).json()).items);
  const decided = found.find(({ group }) => group !== 'holdout') ?? found[0];
  await page.getByLabel('Person or unit').fill(decided.profileId);
  await page.getByRole('button', { name: 'Explain' }).click();
  await page.locator('[role="status"] .q-check').first().waitFor();
  await settled(page);
  await session.screenshot('result-light');
  await page.getByRole('button', { name: 'Export' }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'Markdown' }).click()]);
  assert.match(await readFile(await download.path(), 'utf8'), /^# /m);
}

/** A metric is defined by a form that reads as a sentence, looked at among people, and deleted. */
export async function defineMetric(session, base) {
  const { page } = session;
  const mark = Date.now().toString(36);
  await page.goto(`${base}/measures`);
  await page.getByText('Share of people with “Order Completed”').first().waitFor();
  await session.screenshot('metrics-light');
  await page.getByRole('link', { name: 'New metric' }).click();
  await page.getByLabel('Name', { exact: true }).fill(`Large orders ${mark}`);
  await page.getByLabel('Kind').selectOption('revenue');
  await page.getByLabel('Event', { exact: true }).fill('Order Completed');
  await page.getByRole('button', { name: 'Condition', exact: true }).click();
  await page.getByLabel('Property of condition 1').fill('revenue');
  await page.getByLabel('Operator of condition 1').selectOption('gte');
  await page.getByLabel('Value of condition 1').fill('20');
  await page.getByLabel('Cut off what single people sum up to').selectOption('quantile');
  await page.getByText('Money (revenue) of “Order Completed”, per person where revenue is at least 20, within 14 days after the first exposure, cut at the 99th percentile.').waitFor();
  await session.screenshot('metric-new-light');
  await page.getByRole('button', { name: 'Create metric' }).click();
  await page.getByText('version 1').waitFor();
  await page.getByText('Variance of one person').waitFor({ timeout: 30_000 });
  await settled(page);
  await session.screenshot('metric-light');
  await page.goto(`${base}/measures`);
  const row = page.locator('tbody tr', { hasText: mark });
  await row.getByRole('button', { name: /^Delete/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await row.waitFor({ state: 'detached' });
}

/** A flag gets rules, is changed and deleted. */
export async function switchFlag(session, base) {
  const { page } = session;
  const mark = Date.now().toString(36);
  await page.goto(`${base}/feature-flags`);
  await page.getByRole('link', { name: 'New flag' }).click();
  await page.getByLabel('Name', { exact: true }).fill(`Story flag ${mark}`);
  await page.getByRole('button', { name: 'Rule', exact: true }).click();
  await page.getByLabel('For whom').fill('{"staff": tru');
  await page.getByText('Its condition is not JSON.').first().waitFor();
  await page.getByLabel('For whom').fill('{"staff": true}');
  await page.getByRole('button', { name: 'Rule', exact: true }).click();
  await page.getByLabel('Share of them').nth(1).fill('25');
  await session.screenshot('flag-new-light');
  await page.getByRole('button', { name: 'Create flag' }).click();
  await page.getByText('version 1').waitFor();
  await page.getByText(/SDKs evaluate it|The server evaluates it/).waitFor();
  await page.getByRole('button', { name: 'Move rule 2 up' }).click();
  await page.getByRole('button', { name: 'Save flag' }).click();
  await page.getByText('version 2').waitFor();
  await page.goto(`${base}/feature-flags`);
  const row = page.locator('tbody tr', { hasText: mark });
  await row.getByText('true for 25% of everybody').waitFor();
  await session.screenshot('flags-light');
  await row.getByRole('button', { name: /^Delete/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await row.waitFor({ state: 'detached' });
}

/** Holdouts: what the programme brings, where a person stands, and a named one that comes and goes. */
export async function seeHoldouts(session, base) {
  const { page } = session;
  const mark = Date.now().toString(36);
  await page.goto(`${base}/holdouts`);
  await page.getByText('Universal holdout').first().waitFor();
  await settled(page);
  await page.getByRole('button', { name: 'New holdout' }).click();
  await page.getByLabel('Name', { exact: true }).fill(`Story ${mark}`);
  await page.getByLabel('Share of people').fill('60');
  await page.getByRole('button', { name: 'Create holdout' }).click();
  await page.getByText(/must be at most 0\.5/).waitFor();
  await page.getByLabel('Share of people').fill('10');
  await page.getByRole('button', { name: 'Create holdout' }).click();
  const row = page.locator('tbody tr', { hasText: mark });
  await row.getByText('against the comparison arm').waitFor();
  await page.getByLabel('Person', { exact: true }).fill('email:anna@example.org');
  await page.getByRole('button', { name: 'Look' }).click();
  await page.locator('[role="status"]', { hasText: /is held out|is in the comparison arm|is on neither side/ }).waitFor();
  await session.screenshot('holdouts-light');
  await row.getByRole('button', { name: /^Delete/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await row.waitFor({ state: 'detached' });
  // The browser reports the refusals that this chapter asked for.
  assert.deepEqual(session.takeFaults().filter((fault) => !/422|404/.test(fault)), []);
}
