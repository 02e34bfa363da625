import assert from 'node:assert/strict';

/** A model of who leaves is defined, trained, used, and tells of itself and of a person. */
export async function trainModel(session, base) {
  const { page } = session;
  await page.goto(`${base}/models`);
  await page.getByRole('button', { name: 'New model' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Leavers in the story');
  await dialog.getByLabel('Family').selectOption('churn');
  await dialog.getByLabel('Horizon').fill('30');
  await dialog.getByLabel(/^Paused/).check();
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { name: 'Leavers in the story', level: 1 }).waitFor();
  await page.getByText('Not trained yet').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Score everybody' }).getAttribute('aria-disabled'), 'true');
  await page.getByRole('button', { name: 'Train', exact: true }).click();
  // The first version is used by itself when its test is passed.
  await page.getByText('champion').first().waitFor({ timeout: 60_000 });
  await page.getByRole('img', { name: /^Reliability plot/ }).waitFor();
  assert.equal(await page.getByRole('table', { name: 'Tenths of the score' }).locator('tbody tr').count(), 10);
  assert.equal(await page.getByRole('table', { name: 'Candidates' }).locator('tbody tr').count(), 6);
  await page.getByRole('button', { name: 'Score everybody' }).click();
  await page.getByText(/^\d+ people$/).first().waitFor({ timeout: 60_000 });
  await page.getByRole('table', { name: 'Drift of features' }).waitFor();
  await session.screenshot('model-light');
  await page.goto(`${base}/models`);
  await page.getByRole('row', { name: /Leavers in the story/ }).getByText('version 1').waitFor();
}
