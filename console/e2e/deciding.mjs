import assert from 'node:assert/strict';

/** Puts text into an editor of JSON. */
async function write(page, label, text) {
  await page.getByLabel(label, { exact: true }).fill(text);
}

/** A decision point is made, refused where it is wrong, asked about one person, changed, and taken back. */
export async function editPoint(session, base) {
  const { page } = session;
  const key = `story-${Date.now().toString(36)}`;
  await page.goto(`${base}/decision-points`);
  await page.getByRole('link', { name: 'New decision point' }).click();
  await page.getByRole('heading', { name: 'New decision point', level: 1 }).waitFor();
  await page.getByLabel('Name').fill('Story corner');
  await page.getByLabel('Key').fill(key);
  for (const label of ['Offers', 'Channels']) {
    await page.getByRole('combobox', { name: label }).click();
    await page.getByRole('option').first().click();
    await page.keyboard.press('Escape');
  }
  await page.getByRole('combobox', { name: 'Policy', exact: true }).click();
  await page.getByRole('option', { name: /^rules/ }).click();
  await write(page, 'Rules', '[{"actions": ["no-such-offer/*/*"]}]');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('must be none or an offer/channel/creative of this decision point').first().waitFor();
  session.takeFaults(); // the browser itself reports the answer of 422
  await write(page, 'Rules', '[{"when": {"plan": "paid"}, "actions": ["*/*/*"]}, {"actions": ["none"]}]');
  await page.getByRole('button', { name: 'Add a bound' }).click();
  const bound = page.getByRole('group', { name: 'Bound 1' });
  await bound.getByPlaceholder('spring/*/*').fill('*/*/*');
  await page.keyboard.press('Enter');
  await bound.getByRole('textbox', { name: 'Together at most' }).fill('0.9');
  await session.screenshot('point-editor-light');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'Story corner', level: 1 }).waitFor();
  await page.getByText('rules, 1 bound of exposure').first().waitFor();

  await page.getByLabel('Person').fill('userId:somebody-of-the-story');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByText(/The policy follows rules|universal holdout/).first().waitFor();
  await session.screenshot('point-preview-light');

  await page.getByRole('button', { name: 'Try it', exact: true }).click();
  await page.getByRole('table', { name: 'What becomes of them' }).waitFor();
  await page.getByRole('table', { name: 'What becomes of them' }).scrollIntoViewIfNeeded();
  await session.screenshot('point-dry-run-light');

  await page.getByRole('link', { name: 'Edit', exact: true }).click();
  await page.getByLabel('Name').fill('Story corner, changed');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'Story corner, changed', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Difference to now' }).click();
  const row = page.getByRole('table', { name: 'Difference of version 1' }).locator('tbody tr');
  await row.first().waitFor();
  assert.deepEqual(await row.locator('td').allTextContents(), ['name', '"Story corner"', '"Story corner, changed"']);
  await session.screenshot('point-versions-light');
  await page.getByRole('button', { name: 'Go back to it' }).click();
  await page.getByRole('heading', { name: 'Story corner', level: 1, exact: true }).waitFor();
  await page.getByText('version 3', { exact: true }).waitFor();
}
