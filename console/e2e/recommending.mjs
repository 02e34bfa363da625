import assert from 'node:assert/strict';

/** A list for nobody in particular, with reasons, and what was learned. */
export async function previewRecommendations(session, base) {
  const { page } = session;
  await page.goto(`${base}/recommendations`);
  await page.getByText('Catalogue', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Recommend', exact: true }).click();
  const rows = page.getByRole('table', { name: 'Recommended items' }).locator('tbody tr');
  await rows.first().waitFor();
  assert.ok((await rows.count()) > 4, 'fewer than five items are recommended');
  await page.getByLabel('Placement').selectOption('cart');
  await page.getByRole('button', { name: 'Recommend', exact: true }).click();
  await page.getByText(/must name an item/).waitFor();
  await session.screenshot('recommendations-light');
  // The browser reports the refusal that this chapter asked for.
  assert.deepEqual(session.takeFaults().filter((fault) => !/422/.test(fault)), []);
}
