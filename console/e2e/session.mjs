import assert from 'node:assert/strict';

/** Without a session every address leads to the sign-in page, and a wrong password is refused. */
export async function signedOut(session, base) {
  const { page } = session;
  await page.goto(`${base}/experiments`);
  await page.getByRole('heading', { name: 'Sign in to Quintet' }).waitFor();
  assert.match(page.url(), /\/login\?next=%2Fexperiments$/);
  await session.screenshot('login-light');
  await page.getByLabel('E-mail or user name').fill('nobody@example.com');
  await page.getByLabel('Password', { exact: true }).fill('not the password');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  // The browser itself reports answers of 401, which are what is wanted here.
  const others = session.takeFaults().filter((fault) => !/401|403/.test(fault));
  assert.deepEqual(others, []);
}

export async function signIn({ page }, link) {
  await page.goto(link);
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/');
}

export async function signOut(session, base) {
  const { page } = session;
  await page.goto(`${base}/`);
  await page.getByRole('button', { name: /^Signed in as/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in to Quintet' }).waitFor();
  await page.goto(`${base}/profiles`);
  await page.getByRole('heading', { name: 'Sign in to Quintet' }).waitFor();
  const others = session.takeFaults().filter((fault) => !/401/.test(fault));
  assert.deepEqual(others, []);
}
