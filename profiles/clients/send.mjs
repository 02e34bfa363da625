// Sends events with one of the clients, unchanged: node send.mjs CLIENT CALLS,
// where CALLS is a JSON array of {host, key, event, user, count}. All of them are
// sent side by side. Prints one line of JSON for each, {event, errors}, in order.
import { Analytics as Segment } from '@segment/analytics-node';
import Rudder from '@rudderstack/rudder-sdk-node';
import { jitsuAnalytics } from '@jitsu/js';
import { PostHog } from 'posthog-node';

const clients = { segment, rudder, jitsu, posthog };
const [name, calls] = process.argv.slice(2);
const results = await Promise.all(JSON.parse(calls).map(async (call) => {
  const errors = [];
  try {
    await clients[name](call, (error) => errors.push(String(error?.message ?? error?.reason ?? error)));
  } catch (error) {
    errors.push(String(error?.message ?? error));
  }
  return { event: call.event, errors };
}));
for (const result of results) console.log(JSON.stringify(result));
process.exit(0);

function properties(n) {
  return { n, price: n + 0.5, nested: { text: 'Ёлка 🎄' } };
}

async function segment({ host, key, event, user, count }, failed) {
  const client = new Segment({ writeKey: key, host, flushAt: 7, maxRetries: 6 });
  client.on('error', failed);
  client.identify({ userId: user, traits: { email: `${user}@example.org` } });
  for (let n = 0; n < count; n++) client.track({ userId: user, event, properties: properties(n) });
  client.page({ userId: user, name: event });
  await client.closeAndFlush({ timeout: 20_000 });
}

async function rudder({ host, key, event, user, count }, failed) {
  const client = new Rudder(key, { dataPlaneUrl: host, flushAt: 7, flushInterval: 200, errorHandler: failed, axiosRetryConfig: { retries: 6 } });
  client.identify({ userId: user, traits: { email: `${user}@example.org` } });
  for (let n = 0; n < count; n++) client.track({ userId: user, event, properties: properties(n) });
  client.page({ userId: user, name: event });
  for (let wait = 0; wait < 100 && client.queue.length > 0; wait++) await client.flush();
  await client.flush();
}

// Jitsu's client sends a call once: that it is tried again is up to its fetch.
async function jitsu({ host, key, event, user, count }, failed) {
  const client = jitsuAnalytics({ host, writeKey: key, fetch: (url, options) => persistent(url, options, failed) });
  await client.identify(user, { email: `${user}@example.org` });
  for (let n = 0; n < count; n++) await client.track(event, properties(n));
  await client.page({ name: event });
}

async function persistent(url, options, failed) {
  for (let attempt = 1; ; attempt++) {
    let wait = 0.1;
    try {
      const answer = await fetch(url, options);
      const body = await answer.text(); // an answer that breaks off is none
      if (answer.ok) return new Response(body, { status: answer.status });
      if (attempt === 6 || (answer.status !== 429 && answer.status < 500)) {
        failed(new Error(`status ${answer.status}`));
        return new Response(body, { status: answer.status });
      }
      wait = Number(answer.headers.get('Retry-After') ?? wait);
    } catch (error) {
      if (attempt === 6) throw error;
    }
    await new Promise((done) => setTimeout(done, 1000 * wait));
  }
}

async function posthog({ host, key, event, user, count }, failed) {
  const client = new PostHog(key, { host, flushAt: 7, flushInterval: 100, fetchRetryCount: 6, fetchRetryDelay: 300, disableGeoip: true });
  client.on('error', failed);
  client.identify({ distinctId: user, properties: { email: `${user}@example.org` } });
  for (let n = 0; n < count; n++) client.capture({ distinctId: user, event, properties: properties(n) });
  client.capture({ distinctId: user, event: '$pageview', properties: { $current_url: `https://shop.example/${event}` } });
  await client.shutdown(20_000);
}
