import assert from 'node:assert/strict';

/** A candidate is added to a bandit, scored on live traffic, and refused by the gate while too little is known. */
export async function judgeCandidate(session, base) {
  const { page } = session;
  await page.goto(`${base}/decision-points/home-hero`);
  await page.getByRole('link', { name: 'Policy, candidates and versions' }).click();
  await page.getByRole('heading', { name: 'Policy', level: 1 }).waitFor();
  await page.getByRole('heading', { name: 'Calibration and drift' }).waitFor();
  await page.getByRole('button', { name: 'Add a candidate' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('All alike');
  await dialog.getByLabel('Policy').selectOption('uniform');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  const row = page.locator('tbody tr', { hasText: 'all-alike' });
  await row.waitFor();
  await row.getByRole('button', { name: 'Compare' }).click();
  const conditions = page.getByRole('table', { name: 'Conditions of a promotion' });
  await conditions.waitFor();
  assert.equal(await conditions.locator('tbody tr').count(), 3);
  assert.equal(await page.getByRole('button', { name: 'Promote' }).getAttribute('aria-disabled'), 'true');
  await session.screenshot('policy-light');
  await row.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await row.waitFor({ state: 'detached' });
}
