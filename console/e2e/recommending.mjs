import assert from 'node:assert/strict';
import { createServer } from 'node:http';

/** A list for nobody in particular, with sources and reasons. */
export async function previewRecommendations(session, base) {
  const { page } = session;
  await page.goto(`${base}/recommendations`);
  await page.getByRole('button', { name: 'Recommend', exact: true }).click();
  const rows = page.getByRole('table', { name: 'Recommended items' }).locator('tbody tr');
  await rows.first().waitFor();
  assert.ok((await rows.count()) > 4, 'fewer than five items are recommended');
  await page.getByText(/^Nothing is known of the person\. Only fall-backs/).waitFor();
  await session.screenshot('recommendations-light');
  await page.getByLabel('Placement', { exact: true }).selectOption('cart');
  await page.getByRole('button', { name: 'Recommend', exact: true }).click();
  await page.getByText(/must name an item/).waitFor();
  // The browser reports the refusal that this chapter asked for.
  assert.deepEqual(session.takeFaults().filter((fault) => !/422/.test(fault)), []);
}

/** Items by words, category, price and standing; one of them with what goes with it. */
export async function searchCatalogue(session, base) {
  const { page } = session;
  await page.goto(`${base}/catalogue`);
  const rows = page.locator('tbody tr');
  await rows.first().waitFor();
  const total = async () => Number((await page.getByRole('status').filter({ hasText: /items?$/ }).textContent()).replace(/\D/g, ''));
  const all = await total();
  assert.ok(all > 10, `the catalogue has ${all} items`);
  await session.screenshot('catalogue-light');
  const categories = await page.getByLabel('Category', { exact: true }).locator('option').allTextContents();
  assert.ok(categories.length > 2, 'the shop has categories');
  await page.getByLabel('Category', { exact: true }).selectOption({ index: 1 });
  await page.waitForFunction((before) => Number(document.querySelector('.q-catalogue-total')?.textContent?.replace(/\D/g, '')) < before, all);
  await page.getByLabel('Price', { exact: true }).selectOption({ index: 1 });
  assert.match(page.url(), /category=.+minPrice=.+maxPrice=/);
  await page.goto(`${base}/catalogue?q=no-such-thing`);
  await page.getByText('No item fits').waitFor();
  await page.getByLabel('Search', { exact: true }).fill('');
  await rows.first().locator('a').click();
  await page.getByRole('heading', { name: 'What recommenders know' }).waitFor();
  await page.getByRole('cell', { name: /^Popular/ }).waitFor();
  await session.screenshot('item-light');
  await page.goto(`${base}/catalogue/categories`);
  await page.getByRole('columnheader', { name: 'Of its own' }).waitFor();
  await session.screenshot('categories-light');
}

const products = `id,title,product_type,price,cost,stock,brand
story-1,Copper kettle,kitchen > kettles,49.90 EUR,20,5,Nord
story-2,Steel kettle,kitchen > kettles,29.90 EUR,12,0,Nord
story-2,Steel kettle again,kitchen,1,1,1,Nord
story-3,Kettle of wrath,kitchen,-5,1,1,Nord
story-4,Circle,kitchen > pots > kitchen,5,1,1,Nord
`;

/** A feed is tried before it is saved, read, and tells of the rows that it did not take. */
export async function readFeed(session, base) {
  const { page } = session;
  const server = createServer((_, response) => response.end(products));
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  try {
    await page.goto(`${base}/catalogue/feeds`);
    await page.getByText('No feeds yet').waitFor();
    await page.getByRole('link', { name: 'New feed' }).click();
    await page.getByLabel('Name', { exact: true }).fill('In the story');
    await page.getByLabel('Address', { exact: true }).fill('ftp://nowhere');
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    await page.getByText('must be an http or https address').waitFor();
    assert.deepEqual(session.takeFaults().filter((fault) => !/422/.test(fault)), []);
    await page.getByLabel('Address', { exact: true }).fill(`http://127.0.0.1:${server.address().port}/products.csv`);
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    await page.getByText(/^5 rows, 2 would be taken, 3 not/).waitFor();
    await page.getByRole('heading', { name: 'Its columns' }).waitFor();
    await session.screenshot('feed-test-light');
    await page.getByRole('button', { name: 'Save and read it' }).click();
    await page.getByRole('heading', { name: 'In the story', level: 1 }).waitFor();
    await page.getByRole('button', { name: 'Run now' }).click();
    await page.getByRole('heading', { name: 'Rejected rows' }).waitFor({ timeout: 20_000 });
    await page.getByText('the id came before in this feed').waitFor();
    await page.getByText(/price must be a number of at least 0/).waitFor();
    await page.getByText('with rejects').first().waitFor();
    // Of two reads at the same moment one is told that the other is at it.
    session.takeFaults();
    await session.screenshot('feed-light');
    await page.goto(`${base}/catalogue/items/story-1`);
    await page.getByText(/^29\.90/).first().waitFor();
    await page.getByText(/is recommended as new|a rank is the place/i).waitFor();
  } finally {
    server.close();
  }
}

/** Rules are compared with what is saved before they are saved. */
export async function compareRules(session, base) {
  const { page } = session;
  await page.goto(`${base}/recommendations/rules/new`);
  await page.getByLabel('Name', { exact: true }).fill('Story home');
  await page.getByLabel('Pin', { exact: true }).fill('story-1');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('link', { name: /Story home/ }).click();
  await page.getByRole('heading', { name: 'Story home', level: 1 }).waitFor();
  await page.getByLabel('Pin', { exact: true }).fill('');
  await page.getByRole('button', { name: 'Add a factor' }).click();
  await page.getByLabel('Category', { exact: true }).fill('kitchen');
  await page.getByRole('button', { name: 'Compare' }).click();
  const before = page.getByRole('table', { name: 'Items before' }).locator('tbody tr');
  await before.first().getByText('Copper kettle').waitFor();
  await page.getByRole('table', { name: 'Items after' }).locator('tbody tr').first().waitFor();
  await session.screenshot('rule-light');
  await page.getByLabel('Diversity', { exact: true }).fill('0.4');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('cell', { name: /1 boosted; .*diversity 0\.4/ }).waitFor();
  await session.screenshot('rules-light');
}

/** How recommenders do on what they were not shown, and how lists were filled. */
export async function readQuality(session, base) {
  const { page } = session;
  await page.evaluate(async () => {
    for (const query of ['', 'limit=5', 'placement=story-home']) await fetch(`/v1/recommendations?${query}`);
    const placements = async () => (await (await fetch('/v1/recommenders/history?total=true')).json()).rows.map((row) => row.placement);
    while (!(await placements()).includes('story-home')) await new Promise((resolve) => setTimeout(resolve, 200));
  });
  await page.goto(`${base}/recommendations/quality`);
  await page.getByRole('heading', { name: 'Offline quality' }).waitFor();
  await page.getByRole('heading', { name: 'What was learned' }).waitFor();
  await page.getByRole('heading', { name: 'What became of lists' }).waitFor();
  const rows = page.getByRole('row', { name: /story-home/ });
  await rows.nth(1).waitFor();
  const row = rows.first();
  await row.getByText('100%').first().waitFor();
  await session.screenshot('quality-light');
}
