import assert from 'node:assert/strict';

const alertsGone = async (page) => assert.equal(await page.getByRole('alert').count(), 0, 'a problem is shown');

/** A file of a CRM is looked into, mapped, refused at a field, mended, imported, and its rejects come back. */
export async function importFile(session, base) {
  const { page } = session;
  const mark = Date.now().toString(36);
  const csv = [
    'Customer;E-mail;Name;Born;Newsletter',
    `${mark}-1;Anna@Example.org;"Petrova; Anna";01.03.1990;yes`,
    `${mark}-2;;Boris Ivanov;17.11.1985;no`,
    ';nobody@example.org;No Number;;',
    `${mark}-3;vera@example.org;Vera Orlova;soon;yes`,
    '',
  ].join('\r\n');
  const file = { name: `customers-${mark}.csv`, mimeType: 'text/csv', buffer: Buffer.from(csv) };
  await page.goto(`${base}/imports`);
  await page.getByRole('button', { name: 'Import a file' }).click();
  await page.locator('input[type=file]').setInputFiles(file);
  const preview = page.getByRole('region', { name: 'First rows of the file' });
  await preview.getByText('Petrova; Anna').waitFor();
  assert.equal(await page.getByRole('combobox', { name: 'What Customer becomes' }).inputValue(), 'userId');
  assert.equal(await page.getByRole('combobox', { name: 'What E-mail becomes' }).inputValue(), 'traits.email');
  assert.equal(await page.getByLabel('Type of Newsletter').inputValue(), 'boolean');
  await page.getByLabel('Type of Born').selectOption('time');
  await page.getByLabel('How the time in Born is written').fill('dd.mm.yyyy');
  await session.screenshot('import-form-light');
  await page.getByRole('button', { name: 'Start the import' }).click();
  await page.getByText('has nothing of a time in it').waitFor();
  // The browser reports the 422 that was wanted.
  assert.deepEqual(session.takeFaults().filter((fault) => !/422/.test(fault)), []);
  await page.getByLabel('How the time in Born is written').fill('02.01.2006');
  await page.getByRole('button', { name: 'Start the import' }).click();
  const row = page.locator('tbody tr', { hasText: file.name });
  await row.getByText('complete').waitFor({ timeout: 60_000 });
  const [download] = await Promise.all([page.waitForEvent('download'), row.getByRole('button', { name: /^Download the 2 rejected rows/ }).click()]);
  assert.equal(download.suggestedFilename(), `${file.name}.rejects.csv`);
  const rejects = await (await import('node:fs/promises')).readFile(await download.path(), 'utf8');
  assert.match(rejects, /userId is required/);
  assert.match(rejects, /must be a time written like 02\.01\.2006/);
  await alertsGone(page);
  await session.screenshot('imports-light');

  // The same again is said to be so.
  await page.getByRole('button', { name: 'Import a file' }).click();
  await page.locator('input[type=file]').setInputFiles(file);
  await page.getByLabel('Type of Born').selectOption('time');
  await page.getByLabel('How the time in Born is written').fill('02.01.2006');
  await page.getByRole('button', { name: 'Start the import' }).click();
  await page.getByRole('dialog', { name: 'Imported already' }).waitFor();
  await page.getByRole('button', { name: 'Close', exact: true }).last().click();
}

/** A large file is stopped on its way, and goes on behind the rows that are done. */
export async function resumeImport(session, base) {
  const { page } = session;
  const mark = Date.now().toString(36);
  const lines = Array.from({ length: 150_000 }, (_, row) => JSON.stringify({ customer: `${mark}-${row}`, order: { id: `${mark}-o-${row}`, total: row % 100 } }));
  const file = { name: `orders-${mark}.ndjson`, mimeType: 'application/x-ndjson', buffer: Buffer.from(lines.join('\n')) };
  await page.goto(`${base}/imports`);
  await page.getByRole('button', { name: 'Import a file' }).click();
  await page.getByText('Events', { exact: true }).click();
  await page.locator('input[type=file]').setInputFiles(file);
  await page.getByRole('combobox', { name: 'What order.id becomes' }).waitFor();
  assert.equal(await page.getByRole('combobox', { name: 'What order.id becomes' }).inputValue(), 'messageId');
  await page.getByLabel('Text for event').fill('Story Order');
  await page.getByRole('button', { name: 'Start the import' }).click();
  const row = page.locator('tbody tr', { hasText: file.name });
  await row.getByRole('button', { name: /^Stop/ }).click({ timeout: 60_000 });
  await session.screenshot('import-running-light');
  await page.getByRole('button', { name: 'Stop the import' }).click();
  await row.getByText('cancelled').waitFor({ timeout: 30_000 });
  await row.getByRole('button', { name: /^Resume/ }).click();
  await page.locator('input[type=file]').setInputFiles(file);
  await session.screenshot('import-resume-light');
  await page.getByRole('button', { name: 'Go on' }).click();
  await row.getByText('complete').waitFor({ timeout: 120_000 });
  assert.equal(await row.count(), 1, 'it is the same import');
  const accepted = (await row.locator('td').nth(3).textContent())?.replace(/\D/g, '');
  assert.equal(accepted, '150000');
}

/** A webhook is tried before it is saved, saved, changed and deleted. */
export async function editWebhook(session, base) {
  const { page } = session;
  const key = `story-${Date.now().toString(36)}`;
  await page.goto(`${base}/webhooks`);
  await page.getByRole('link', { name: 'New webhook' }).click();
  await page.getByRole('button', { name: 'Try', exact: true }).click();
  await page.getByText('2 messages, 1 rejected, 1 skipped').waitFor();
  await page.getByText('anna@example.org', { exact: true }).waitFor();
  await page.getByText('points at "contact.id", which the item does not have').waitFor();
  await session.screenshot('webhook-new-light');
  await page.getByRole('button', { name: 'Call centre with a form' }).click();
  await page.getByRole('button', { name: 'Try', exact: true }).click();
  await page.getByText('1 message, 0 rejected, 0 skipped').waitFor();
  await page.getByText('Call Ended', { exact: true }).waitFor();
  const mapping = page.getByLabel('Mapping');
  const good = await mapping.inputValue();
  await mapping.fill(good.slice(0, -2));
  await page.getByText(/^The mapping is not JSON/).waitFor();
  await mapping.fill(good.replace('"integer"', '"whole"'));
  await page.getByLabel('Key').fill(key);
  await page.getByRole('button', { name: 'Create webhook' }).click();
  await page.getByRole('alert').getByText(/messages\[0\]\.properties/).waitFor();
  assert.deepEqual(session.takeFaults().filter((fault) => !/422/.test(fault)), []);
  await mapping.fill(good);
  await page.getByRole('button', { name: 'Create webhook' }).click();
  await page.getByText(`POST /v1/hooks/${key}, version 1`).waitFor();
  await mapping.fill(good.replace('Call Ended', 'Call Finished'));
  await page.getByRole('button', { name: 'Save webhook' }).click();
  await page.getByText(`POST /v1/hooks/${key}, version 2`).waitFor();
  await page.goto(`${base}/webhooks`);
  const row = page.locator('tbody tr', { hasText: key });
  await row.getByText('a secret text in Authorization').waitFor();
  await session.screenshot('webhooks-light');
  await row.getByRole('button', { name: /^Delete/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await row.waitFor({ state: 'detached' });
}

/** Users, roles, identity rules and the audit log that tells of it all. */
export async function governAccess(session, base) {
  const { page } = session;
  const mark = Date.now().toString(36);
  await page.goto(`${base}/settings/roles`);
  await page.getByText('built in').first().waitFor();
  await page.getByRole('button', { name: 'New role' }).click();
  await page.getByRole('textbox', { name: 'Key' }).fill(`story-${mark}`);
  await page.getByLabel('Title').fill(`Story ${mark}`);
  await page.getByRole('button', { name: 'Mask', exact: true }).click();
  await page.getByRole('combobox', { name: 'Field of mask 2' }).fill('nonsense');
  await page.getByRole('button', { name: 'Create role' }).click();
  await page.getByRole('dialog').getByText(/must be/).first().waitFor();
  assert.deepEqual(session.takeFaults().filter((fault) => !/422/.test(fault)), []);
  await session.screenshot('role-form-light');
  await page.getByRole('combobox', { name: 'Field of mask 2' }).fill('traits.birthday');
  await page.getByLabel('How mask 2 shows it').selectOption('hide');
  await page.getByRole('button', { name: 'Create role' }).click();
  const role = page.locator('tbody tr', { hasText: `Story ${mark}` });
  await role.getByText('all in part, traits.birthday hidden').waitFor();
  await session.screenshot('settings-roles-light');

  await page.getByRole('tab', { name: 'Users' }).click();
  await page.getByRole('button', { name: 'Add user' }).click();
  await page.getByLabel('Name', { exact: true }).fill(`Vera ${mark}`);
  await page.getByLabel('E-mail or user name').fill(`vera-${mark}@example.org`);
  await page.getByLabel('Role', { exact: true }).selectOption(`story-${mark}`);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  const user = page.locator('tbody tr', { hasText: `Vera ${mark}` });
  await user.getByRole('button', { name: /^Login link/ }).click();
  await page.getByRole('button', { name: 'Make the link' }).click();
  assert.match((await page.locator('pre').textContent()) ?? '', /\/auth\//);
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByLabel(`Role of Vera ${mark}`).selectOption('viewer');
  await page.waitForFunction((label) => document.querySelector(`select[aria-label="${label}"]`)?.value === 'viewer', `Role of Vera ${mark}`);
  await session.screenshot('settings-users-light');
  await user.getByRole('button', { name: /^Remove/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await user.waitFor({ state: 'detached' });

  await page.getByRole('tab', { name: 'Roles' }).click();
  await role.getByRole('button', { name: /^Delete/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await role.waitFor({ state: 'detached' });

  await page.getByRole('tab', { name: 'Identity rules' }).click();
  const region = page.getByLabel('Country of phone numbers');
  await region.fill('QQ');
  await page.getByRole('button', { name: 'Save rules' }).click();
  await page.getByText('must be a country of two letters').waitFor();
  assert.deepEqual(session.takeFaults().filter((fault) => !/422/.test(fault)), []);
  await region.fill('DE');
  await page.getByRole('button', { name: 'Save rules' }).click();
  await page.getByText(/^Version \d+, changed/).waitFor();
  await session.screenshot('settings-identity-light');

  await page.getByRole('tab', { name: 'Audit log' }).click();
  await page.getByText('delete user').first().waitFor();
  await page.getByLabel('Path begins with').fill('/v1/identity-rules');
  await page.waitForFunction(() => [...document.querySelectorAll('.q-audit-path')].length > 0 && [...document.querySelectorAll('.q-audit-path')].every((each) => each.textContent?.includes('/v1/identity-rules')));
  await page.getByRole('button', { name: 'Show all' }).click();
  await page.getByText('delete user').first().waitFor();
  await session.screenshot('settings-audit-light');
  await alertsGone(page);
}

/** On a telephone and in the dark, none of these pages sticks out sideways. */
export async function narrowAndDark(session, base) {
  const { page } = session;
  const wide = page.viewportSize();
  const pages = { imports: '/imports', webhooks: '/webhooks', 'webhook-new': '/webhooks/new', users: '/settings/users', roles: '/settings/roles', identity: '/settings/identity', audit: '/settings/audit', sources: '/sources', quarantine: '/sources/quarantine', schemas: '/sources/schemas', privacy: '/privacy', retention: '/privacy/retention' };
  await page.goto(`${base}/`);
  await page.getByRole('button', { name: 'Switch to the dark theme' }).click();
  for (const [name, path] of Object.entries(pages)) {
    await page.setViewportSize(wide);
    await page.goto(base + path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null);
    await session.screenshot(`${name}-dark`);
    await page.setViewportSize({ width: 390, height: 844 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(over <= 0, `${path} is ${over} pixels wider than a telephone`);
    await session.screenshot(`${name}-narrow`);
  }
  await page.setViewportSize(wide);
  await page.goto(`${base}/`);
  await page.getByRole('button', { name: 'Switch to the light theme' }).click();
}
