import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

const settled = (page) => page.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null);

/** Calls the API as whoever is signed in. */
async function call(page, method, path, body) {
  const answer = await page.evaluate(
    async ([verb, address, sent]) => {
      const response = await fetch(address, {
        method: verb,
        ...(sent === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(sent) }),
      });
      return { status: response.status, text: await response.text() };
    },
    [method, path, body],
  );
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.text === '' ? undefined : JSON.parse(answer.text);
}

/** Waits until a person is known by a userId, and returns the profile's id. */
async function knownAs(page, name) {
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    const { items } = await call(page, 'GET', `/v1/profiles?query=userId:${name}`);
    if (items.length > 0) return items[0].profileId;
    await page.waitForTimeout(50);
  }
  throw new Error(`${name} is not known`);
}

/** Sources stand with their state, and each field of one with types, fill rate and what is personal. */
export async function seeSources(session, base) {
  const { page } = session;
  await page.goto(`${base}/sources`);
  const { items } = await call(page, 'GET', '/v1/sources');
  const busiest = [...items].sort((a, b) => b.events.week - a.events.week)[0];
  await page.locator(`tbody a[href$="${encodeURIComponent(busiest.id)}"]`).first().waitFor();
  await session.screenshot('sources-light');
  await page.locator(`tbody a[href$="${encodeURIComponent(busiest.id)}"]`).first().click();
  await page.getByRole('heading', { name: 'Fields' }).waitFor();
  const email = page.locator('tbody tr', { hasText: 'traits.email' }).first();
  await email.getByText('personal').waitFor();
  await email.getByText('e-mail addresses').waitFor();
  await page.getByRole('combobox', { name: 'Event' }).click();
  await page.getByRole('option', { name: 'Order Completed' }).click();
  await page.getByRole('columnheader', { name: 'Example' }).waitFor();
  await page.locator('tbody tr', { hasText: 'properties.revenue' }).waitFor();
  await settled(page);
  await session.screenshot('source-light');
}

/** A schema is made, what breaks it lies in quarantine, is corrected and taken in, and the rest discarded. */
export async function emptyQuarantine(session, base) {
  const { page } = session;
  const mark = Date.now().toString(36);
  const event = `Story Checkout ${mark}`;
  const field = `properties.total_${mark}`;
  await page.goto(`${base}/sources/schemas`);
  await page.getByRole('button', { name: 'New schema' }).click();
  await page.getByRole('textbox', { name: 'Event' }).fill(event);
  await page.getByLabel('is refused and goes to quarantine').check();
  await page.getByLabel('Path of field 1').fill(field);
  await page.getByLabel(`Type of ${field}`).selectOption('number');
  await page.getByLabel(`${field} is required`).check();
  await page.getByLabel(`Smallest of ${field}`).fill('ten');
  await page.getByText('ten is no number').waitFor();
  await page.getByLabel(`Smallest of ${field}`).fill('0');
  await session.screenshot('event-schema-light');
  await page.getByRole('button', { name: 'Create schema' }).click();
  await page.locator('tbody tr', { hasText: event }).getByText('goes to quarantine').waitFor();

  const checkout = (id, total) => ({ type: 'track', userId: `quarantined-${mark}`, messageId: `${mark}-${id}`, event, properties: { [`total_${mark}`]: total } });
  const answer = await call(page, 'POST', '/v1/batch', { batch: [checkout(1, 'twelve'), checkout(2, 'twelve'), checkout(3, 12)] });
  assert.equal(answer.rejected.length, 2);
  await page.goto(`${base}/sources/quarantine`);
  await page.getByLabel('Field', { exact: true }).fill(field);
  const rows = page.locator('tbody tr', { hasText: 'must be of the type number' });
  await rows.first().waitFor();
  await session.screenshot('quarantine-light');
  await rows.first().getByRole('button', { name: /^Open/ }).click();
  const drawer = page.getByRole('dialog', { name: 'A refused message' });
  await drawer.getByText('"twelve"').waitFor();
  await drawer.getByRole('button', { name: 'Correct and take in' }).click();
  const dialog = page.getByRole('dialog', { name: 'Take messages in: this one' });
  await dialog.getByLabel('Correction').fill('[1]');
  await dialog.getByText(/A correction is an object/).waitFor();
  await dialog.getByLabel('Correction').fill(`{"properties": {"total_${mark}": 12.5}}`);
  await session.screenshot('quarantine-correct-light');
  await dialog.getByRole('button', { name: 'Take in' }).click();
  await dialog.getByText('1 taken in, 0 stay in quarantine.').waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await drawer.getByRole('button', { name: 'Close' }).last().click();
  await drawer.waitFor({ state: 'hidden' });

  await page.getByLabel(/^Choose the message/).first().check();
  await page.getByRole('button', { name: 'Discard 1 chosen' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();
  await page.getByText('1 discarded.').waitFor();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByText('Nothing fits the filter').waitFor();
}

/** A person is exported as a file and erased; the proof is read and its checksum agrees. */
export async function eraseAndProve(session, base) {
  const { page } = session;
  const name = `erased-${Date.now().toString(36)}`;
  await page.goto(`${base}/privacy`);
  await call(page, 'POST', '/v1/identify', { userId: name, traits: { email: `${name}@example.org` } });
  const profileId = await knownAs(page, name);
  await page.goto(`${base}/profiles/${profileId}`);
  await page.getByRole('button', { name: 'Export' }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save the file' }).click()]);
  const exported = JSON.parse(await readFile(await download.path(), 'utf8'));
  assert.equal(exported.complete, true);
  assert.ok(JSON.stringify(exported).includes(`${name}@example.org`));

  await page.getByRole('button', { name: 'Erase', exact: true }).click();
  const erase = page.getByRole('button', { name: 'Erase for ever' });
  await page.getByLabel('Reason').fill('a request in the story');
  await page.getByLabel(/to confirm$/).fill('somebody else');
  assert.equal(await erase.isDisabled(), true);
  await page.getByLabel(/to confirm$/).fill(profileId);
  await erase.click();
  await page.getByRole('dialog', { name: 'The erasure has begun' }).getByRole('link', { name: 'Privacy' }).click();
  const row = page.locator('tbody tr', { hasText: 'a request in the story' }).first();
  await row.getByText('done').waitFor({ timeout: 90_000 });
  await session.screenshot('erasures-light');
  await row.getByRole('button', { name: /^Proof/ }).click();
  await page.getByText('nothing of the person was found', { exact: true }).waitFor();
  const [proof] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save the document' }).click()]);
  assert.equal(JSON.parse(await readFile(await proof.path(), 'utf8')).reason, 'a request in the story');
  await page.getByText('its checksum agrees').waitFor();
  await session.screenshot('proof-light');
}

/** A retention rule is tried as a paused one, changed and deleted. */
export async function keepForSoLong(session, base) {
  const { page } = session;
  const key = `story-${Date.now().toString(36)}`;
  await page.goto(`${base}/privacy/retention`);
  await page.getByRole('button', { name: 'New rule' }).click();
  await page.getByRole('textbox', { name: 'Key' }).fill(key);
  await page.getByRole('textbox', { name: 'Event' }).fill(`Story Page ${key}`);
  await page.getByLabel('Days that it is kept').fill('730');
  await page.getByText('That is 2 years').waitFor();
  assert.equal(await page.getByLabel('Paused').isChecked(), true);
  await session.screenshot('retention-rule-light');
  await page.getByRole('button', { name: 'Create rule' }).click();
  const row = page.locator('tbody tr', { hasText: key });
  await row.getByText('paused').waitFor();
  await row.getByText('before').waitFor();
  await session.screenshot('retention-light');
  await row.getByRole('button', { name: /^Edit/ }).click();
  await page.getByLabel('Why').fill('the story asks for it');
  await page.getByRole('button', { name: 'Save rule' }).click();
  await row.getByText('the story asks for it').waitFor();
  await row.getByRole('button', { name: /^Delete/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await row.waitFor({ state: 'detached' });
}

/** Who may only read sees why buttons cannot be pressed, and no places of administrators. */
export async function stayWithinRole(session, base) {
  const { page } = session;
  const mark = Date.now().toString(36);
  await page.goto(`${base}/`);
  const user = await call(page, 'POST', '/v1/users', { name: 'Reader', email: `reader-${mark}@example.org`, role: 'analyst' });
  const { url } = await call(page, 'POST', `/v1/users/${user.id}/login-links`);
  const context = await page.context().browser().newContext({ viewport: page.viewportSize() });
  try {
    const other = await context.newPage();
    other.setDefaultTimeout(60_000);
    await other.goto(base + new URL(url).pathname);
    await other.getByRole('link', { name: 'Experiments' }).waitFor();
    for (const place of ['Privacy', 'Webhooks']) assert.equal(await other.getByRole('link', { name: place, exact: true }).count(), 0, place);
    await other.goto(`${base}/webhooks`);
    await other.getByText('Not for your role').waitFor();
    await other.goto(`${base}/imports`);
    const send = other.getByRole('button', { name: 'Import a file' });
    assert.equal(await send.getAttribute('aria-disabled'), 'true');
    await send.focus();
    await other.getByRole('tooltip').getByText('Your role does not let you send in data.').waitFor();
    await other.goto(`${base}/settings/users`);
    await other.getByText('Not for your role').waitFor();
    assert.equal(await other.getByRole('tab', { name: 'API keys' }).count(), 0);
    await other.goto(`${base}/segments`);
    assert.equal(await other.getByRole('button', { name: 'New segment' }).getAttribute('aria-disabled'), 'true');
  } finally {
    await context.close();
    await call(page, 'DELETE', `/v1/users/${user.id}`);
  }
}
