// Evaluates flags with one of the clients, unchanged: node evaluate.mjs CLIENT TASK,
// where TASK is {host, key, decryptionKey, users, flags, watch} in JSON. Prints one
// line of JSON for each user, {user, values, variants}, then {done: true}. With watch,
// the flag of that name is then printed whenever a stream brings another value.
import { GrowthBook, setPolyfills } from '@growthbook/growthbook';
import { EventSource } from 'eventsource';
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature as Web } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

const [name, text] = process.argv.slice(2);
const task = JSON.parse(text);
const print = (line) => console.log(JSON.stringify(line));
const missing = '(code)'; // what the code has where the service has no value
setPolyfills({ EventSource });

const clients = {
  growthbook: () => growthBook({}),
  encrypted: () => growthBook({ decryptionKey: task.decryptionKey }),
  remote: () => growthBook({ remoteEval: true }),
  server,
  web,
};
await clients[name]();
print({ done: true });
if (!task.watch) process.exit(0);

async function growthBook(options) {
  for (const user of task.users) {
    const tracked = [];
    const gb = new GrowthBook({
      apiHost: task.host, clientKey: task.key, attributes: { id: user.id, ...user.attributes },
      trackingCallback: (experiment, result) => tracked.push(`${experiment.key}:${result.key}`), ...options,
    });
    const started = await gb.init({ timeout: 10_000, skipCache: true, streaming: false });
    if (!started.success) throw started.error ?? new Error('the payload did not load');
    const values = {}, variants = {};
    for (const flag of task.flags) {
      const result = gb.evalFeature(flag);
      values[flag] = result.source === 'unknownFeature' ? missing : result.value;
      variants[flag] = result.experimentResult?.key ?? '';
    }
    print({ user: user.id, values, variants, tracked });
    gb.destroy();
  }
  if (task.watch) {
    const gb = new GrowthBook({ apiHost: task.host, clientKey: task.key, attributes: { id: 'watcher' }, ...options });
    let last;
    gb.setRenderer(() => {
      const value = gb.getFeatureValue(task.watch, missing);
      if (value !== last) print({ watched: (last = value) });
    });
    await gb.init({ timeout: 10_000, skipCache: true, streaming: true });
    print({ watched: (last = gb.getFeatureValue(task.watch, missing)) });
  }
}

// details asks a client of OpenFeature for a flag of any type.
function details(client, flag, ...context) {
  const kind = flag.split('-')[0];
  switch (kind) {
    case 'bool': return client.getBooleanDetails(flag, false, ...context);
    case 'num': return client.getNumberDetails(flag, -1, ...context);
    case 'json': return client.getObjectDetails(flag, {}, ...context);
    default: return client.getStringDetails(flag, missing, ...context);
  }
}

async function server() {
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: task.host, headers: [['Authorization', `Bearer ${task.key}`]] }));
  const client = OpenFeature.getClient();
  for (const user of task.users) {
    const values = {}, variants = {}, reasons = {}, errors = {};
    for (const flag of task.flags) {
      const result = await details(client, flag, { targetingKey: user.id, ...user.attributes });
      values[flag] = result.value;
      variants[flag] = result.variant ?? '';
      reasons[flag] = result.reason ?? '';
      if (result.errorCode) errors[flag] = result.errorCode;
    }
    print({ user: user.id, values, variants, reasons, errors });
  }
}

async function web() {
  const provider = new OFREPWebProvider({ baseUrl: task.host, pollInterval: task.watch ? 200 : 0, headers: [['X-API-Key', task.key]] });
  for (const [i, user] of task.users.entries()) {
    await Web.setContext({ targetingKey: user.id, ...user.attributes });
    if (i === 0) await Web.setProviderAndWait(provider);
    const client = Web.getClient();
    const values = {}, variants = {}, reasons = {};
    for (const flag of task.flags) {
      const result = details(client, flag);
      values[flag] = result.value;
      variants[flag] = result.variant ?? '';
      reasons[flag] = result.reason ?? '';
    }
    print({ user: user.id, values, variants, reasons });
  }
  if (task.watch) {
    const client = Web.getClient();
    let last = client.getStringValue(task.watch, missing);
    client.addHandler('PROVIDER_CONFIGURATION_CHANGED', () => {
      const value = client.getStringValue(task.watch, missing);
      if (value !== last) print({ watched: (last = value) });
    });
    print({ watched: last });
  }
}
