// The console's story, in a real browser against a running service:
// sign in by link, see traffic arrive, open the report, explain one decision.
//
//   QUINTET_E2E_URL          address of the service
//   QUINTET_E2E_LOGIN        login link, unused
//   QUINTET_E2E_PART         which part: decisions or people, which can run beside one another, or pages, after both
//   QUINTET_E2E_SCREENSHOTS  directory for screenshots; none are taken without it
//   QUINTET_TEST_BROWSER     path of Chromium; /usr/bin/chromium unless set
import assert from 'node:assert/strict';
import { openBrowser } from './browser.mjs';
import { editWebhook, governAccess, importFile, narrowAndDark, resumeImport } from './collecting.mjs';
import { defineMetric, planExperiment, readResult, seeHoldouts, switchFlag } from './experimenting.mjs';
import { editPoint } from './deciding.mjs';
import { readExperience, recordSpend, setSurveys } from './experience.mjs';
import { emptyQuarantine, eraseAndProve, keepForSoLong, seeSources, stayWithinRole } from './governing.mjs';
import { defineAttribute, readMoves, readRfm, seeLifecycle } from './lifecycle.mjs';
import { leadThroughScenario, tryCampaign } from './outbound.mjs';
import { browsePages } from './pages.mjs';
import { buildSegment, joinPeople, recordConsent, refuseRule } from './people.mjs';
import { judgeCandidate } from './policies.mjs';
import { trainModel } from './predicting.mjs';
import { compareRules, previewRecommendations, readFeed, readQuality, searchCatalogue } from './recommending.mjs';
import { signedOut, signIn, signOut } from './session.mjs';
import { explainDecision, openReport, seeTraffic, useKeyboard } from './steps.mjs';

function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; see the head of e2e/story.mjs`);
  return value;
}

const base = setting('QUINTET_E2E_URL').replace(/\/$/, '');
const link = setting('QUINTET_E2E_LOGIN');
const session = await openBrowser({
  executable: process.env.QUINTET_TEST_BROWSER || '/usr/bin/chromium',
  screenshots: process.env.QUINTET_E2E_SCREENSHOTS,
});

const parts = {
  decisions: [
    ['a stranger is led to the sign-in page', () => signedOut(session, base)],
    ['the link signs in', () => signIn(session, link)],
    ['traffic arrives', () => seeTraffic(session)],
    ['the keyboard is enough', () => useKeyboard(session)],
    ['the report opens', () => openReport(session, base)],
    ['an experiment is planned and led through its life', () => planExperiment(session, base)],
    ['the result says what to do', () => readResult(session, base)],
    ['a metric is defined', () => defineMetric(session, base)],
    ['a flag is switched', () => switchFlag(session, base)],
    ['holdouts say what the programme brings', () => seeHoldouts(session, base)],
    ['one decision is explained', () => explainDecision(session, base)],
    ['a decision point is made, asked and taken back', () => editPoint(session, base)],
    ['a candidate is judged', () => judgeCandidate(session, base)],
    ['items are recommended', () => previewRecommendations(session, base)],
    ['the catalogue is looked through', () => searchCatalogue(session, base)],
    ['a feed is tried, saved and read', () => readFeed(session, base)],
    ['rules are compared and saved', () => compareRules(session, base)],
    ['the quality of lists is read', () => readQuality(session, base)],
    ['a model is trained and used', () => trainModel(session, base)],
    ['a template becomes a scenario', () => leadThroughScenario(session, base)],
    ['a campaign is tried', () => tryCampaign(session, base)],
  ],
  people: [
    ['the link signs in', () => signIn(session, link)],
    ['people stand in stages', () => seeLifecycle(session, base)],
    ['RFM is read by keyboard', () => readRfm(session, base)],
    ['moves add up', () => readMoves(session, base)],
    ['an attribute is defined', () => defineAttribute(session, base)],
    ['answers make a score', () => readExperience(session, base)],
    ['marketing spend comes in', () => recordSpend(session, base)],
    ['surveys are set', () => setSurveys(session, base)],
    ['people are joined and told apart', () => joinPeople(session, base)],
    ['a consent and a trait are recorded', () => recordConsent(session, base)],
    ['a segment is built, counted and saved', () => buildSegment(session, base)],
    ['a refused rule says where', () => refuseRule(session, base)],
    ['a file is mapped and imported', () => importFile(session, base)],
    ['a stopped import goes on', () => resumeImport(session, base)],
    ['a webhook is tried and saved', () => editWebhook(session, base)],
    ['users, roles and rules are managed', () => governAccess(session, base)],
    ['sources and their fields are seen', () => seeSources(session, base)],
    ['the quarantine is emptied', () => emptyQuarantine(session, base)],
    ['a person is erased, with a proof', () => eraseAndProve(session, base)],
    ['things are kept for so long', () => keepForSoLong(session, base)],
    ['a role sees why it may not', () => stayWithinRole(session, base)],
    ['the new settings fit a telephone', () => narrowAndDark(session, base)],
  ],
  pages: [
    ['the link signs in', () => signIn(session, link)],
    ['every page opens, light and dark', () => browsePages(session, base)],
    ['signing out ends it', () => signOut(session, base)],
  ],
};
const chapters = parts[setting('QUINTET_E2E_PART')];
if (!chapters) throw new Error(`QUINTET_E2E_PART must be one of ${Object.keys(parts).join(', ')}`);

let failed = false;
for (const [name, chapter] of chapters) {
  const started = Date.now();
  try {
    await chapter();
    assert.deepEqual(session.takeFaults(), [], 'the browser reported errors');
    console.log(`ok   ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed = true;
    console.log(`FAIL ${name}`);
    console.log(error instanceof Error ? error.stack : error);
    for (const fault of session.takeFaults()) console.log(`     browser: ${fault}`);
    await session.screenshot('failure').catch(() => undefined);
    break; // each chapter goes on from the one before
  }
}
await session.close();
process.exitCode = failed ? 1 : 0;
