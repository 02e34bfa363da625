import assert from 'node:assert/strict';

/** Two people of the shop, by name and id, as the API tells them. */
async function twoPeople(page) {
  const people = await page.evaluate(async () => {
    const answer = await fetch('/v1/profiles?limit=100');
    return answer.ok ? (await answer.json()).items : [];
  });
  const known = people.filter((person) => (person.identifiers ?? []).some(({ namespace }) => namespace === 'userId') && (person.profiles ?? []).length < 2);
  assert.ok(known.length >= 2, 'the shop has two people with a userId');
  const userId = (person) => person.identifiers.find(({ namespace }) => namespace === 'userId').value;
  return known.slice(-2).map((person) => ({ id: person.profileId, userId: userId(person) }));
}

async function define(page, path, body) {
  const status = await page.evaluate(
    async ([url, value]) => {
      const answer = await fetch(url, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) });
      return answer.status;
    },
    [path, body],
  );
  assert.ok(status < 300, `PUT ${path} answered ${status}`);
}

/** Two people become one by hand, and two again; the log keeps both. */
export async function joinPeople(session, base) {
  const { page } = session;
  const [one, other] = await twoPeople(page);
  await page.goto(`${base}/profiles/${one.id}`);
  await page.getByRole('heading', { name: 'Identity' }).waitFor();
  await page.getByRole('button', { name: 'Merge', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('The other person').fill(other.userId);
  await dialog.getByRole('radio').first().check();
  await dialog.getByText('become one person').waitFor();
  await dialog.getByLabel('Reason').fill('the same household card');
  await session.screenshot('merge-light');
  await dialog.getByRole('button', { name: 'Make one person' }).click();
  await dialog.waitFor({ state: 'hidden' });
  const edges = page.getByRole('list', { name: 'Edges' });
  await edges.getByText('the same household card').waitFor();
  await page.getByText('2 profiles joined').waitFor();
  await page.getByRole('list', { name: 'Profiles and identifiers' }).getByText(other.userId, { exact: true }).waitFor();
  await session.screenshot('merged-light');

  await edges.getByRole('button', { name: 'Un-merge' }).click();
  await dialog.getByLabel('Reason').fill('two people after all');
  await dialog.getByRole('button', { name: 'Tell apart' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await edges.getByText('revoked').waitFor();
  await page.getByText('2 profiles joined').waitFor({ state: 'hidden' });
  await session.screenshot('unmerged-light');
}

/** A consent is recorded with its proof, a trait is edited, and both say where they come from. */
export async function recordConsent(session, base) {
  const { page } = session;
  await define(page, '/v1/purposes/story', { title: 'Stories' });
  const [one] = await twoPeople(page);
  await page.goto(`${base}/profiles/${one.id}`);
  await page.getByRole('button', { name: 'Record' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Purpose').selectOption({ label: 'Stories' });
  await dialog.getByLabel('How they said it').fill('told us at the till');
  await dialog.getByRole('button', { name: 'Save statement' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await page.getByRole('list', { name: 'What holds now' }).locator('li', { hasText: 'Stories' }).getByText('granted').first().waitFor();
  await page.getByRole('list', { name: 'What was said' }).getByText('told us at the till').waitFor();

  await page.getByRole('button', { name: 'Add a trait' }).click();
  await dialog.getByLabel('Name').fill('storyShelf');
  await dialog.getByLabel('Value').fill('42');
  await dialog.getByRole('button', { name: 'Save trait' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await page.getByRole('switch', { name: 'Sources' }).check();
  const lineage = page.getByRole('list', { name: 'Traits and their sources' });
  await lineage.locator('li', { hasText: 'storyShelf' }).getByText('chosen').waitFor();
  await session.screenshot('consents-light');
}

/** A segment is built of ready filters with a live count, saved, and has members. */
export async function buildSegment(session, base) {
  const { page } = session;
  await page.goto(`${base}/segments`);
  await page.getByRole('link', { name: 'New segment' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Seen in the story');
  await page.getByText('One place still to be filled in.').waitFor();
  await page.getByRole('button', { name: 'Ready filter' }).click();
  const library = page.getByRole('dialog', { name: 'Ready filters' });
  await library.getByRole('form').first().waitFor();
  assert.ok((await library.getByRole('form').count()) >= 24, 'the library has at least 24 filters');
  await session.screenshot('filters-light');
  await library.getByLabel('Search ready filters').fill('seen lately');
  await library.getByRole('form', { name: 'Seen lately' }).getByLabel('Within the last', { exact: true }).fill('20');
  await library.getByRole('button', { name: 'Add Seen lately' }).click();
  await library.waitFor({ state: 'hidden' });
  const size = page.getByTestId('estimate');
  await size.waitFor();
  const everybody = Number((await size.textContent()).replace(/\D/g, ''));
  assert.ok(everybody > 0, 'the shop’s people were seen lately');

  // A condition from scratch, by keyboard alone.
  await page.getByRole('button', { name: 'Condition', exact: true }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'An identifier' }).waitFor();
  await page.getByRole('menuitem', { name: 'An identifier' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('combobox', { name: 'Namespace' }).fill('userId');
  await page.getByText('has an identifier userId').waitFor();
  await page.getByRole('button', { name: 'Group', exact: true }).click();
  await page.getByText('Add a condition').waitFor();
  await page.getByRole('button', { name: 'Remove this group' }).click();
  await page.getByText('still to be filled in').waitFor({ state: 'hidden' });
  await size.waitFor();
  await session.screenshot('segment-builder-light');
  await page.getByText('JSON', { exact: true }).click();
  assert.deepEqual(JSON.parse(await page.getByLabel('Rule as JSON').inputValue()), {
    all: [
      { profile: 'lastSeenAt', op: 'withinLast', value: '20d' },
      { identifier: 'userId', op: 'exists' },
    ],
  });
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'Seen in the story', level: 1 }).waitFor();
  await page.locator('section', { hasText: 'People' }).locator('tbody a[href^="/profiles/"]').first().waitFor({ timeout: 30_000 });
  await page.getByText('last seen is within the last 20 days').first().waitFor();
  await session.screenshot('segment-light');

  // Changing it goes by its version, and its history keeps both.
  await page.getByRole('link', { name: 'Edit' }).click();
  await page.getByLabel('Description').fill('Everybody of the last days');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Version 2').waitFor();
  await page.getByRole('button', { name: 'Freeze' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Make the list' }).click();
  await page.getByText('frozen list').waitFor();
  await page.goto(`${base}/segments`);
  await page.getByText('frozen list').waitFor();
  await session.screenshot('segments-light');
}

/** A rule that the service refuses says so at the condition that has the fault. */
export async function refuseRule(session, base) {
  const { page } = session;
  await page.goto(`${base}/segments/new`);
  await page.getByText('JSON', { exact: true }).click();
  await page.getByLabel('Rule as JSON').fill('{"any": [{"segment": "seen-in-the-story"}, {"trait": "age", "op": "larger", "value": 3}]}');
  await page.getByText('The rule has a fault').waitFor();
  await page.getByText('Conditions', { exact: true }).click();
  await page.getByRole('group', { name: 'Trait' }).getByText(/must be one of/).waitFor();
  await session.screenshot('segment-fault-light');
  // The browser reports the refusal that this chapter asked for.
  const others = session.takeFaults().filter((fault) => !/422/.test(fault));
  assert.deepEqual(others, []);
}
