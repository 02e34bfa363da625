// Starts a message centre (SMPP), a Bot API of Telegram and a web push service, each on a
// free port, and writes what they get as lines of JSON. It ends with its standard input.
import { createRequire } from 'node:module';
import { createServer } from 'node:net';

const require = createRequire(import.meta.url);
const smpp = require('smpp');
const TelegramServer = require('telegram-test-api');
const { PushApiModel } = require('web-push-testing/src/PushApiModel.js');
const WebPushTestingServer = require('web-push-testing/src/server.js');

const out = process.stdout.write.bind(process.stdout);
process.stdout.write = () => true; // the peers write to it, too
const say = (line) => out(JSON.stringify(line) + '\n');
const free = () =>
  new Promise((resolve) => {
    const s = createServer().listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });

let number = 0;
const centre = smpp.createServer((session) => {
  session.on('error', () => {});
  session.on('bind_transceiver', (pdu) => {
    if (pdu.password !== 'secret') {
      session.send(pdu.response({ command_status: smpp.ESME_RBINDFAIL }));
      return;
    }
    session.send(pdu.response());
  });
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => session.send(pdu.response()));
  session.on('submit_sm', (pdu) => {
    const to = pdu.destination_addr;
    if (to.endsWith('13')) {
      session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
      return;
    }
    if (to.endsWith('14')) {
      session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
      return;
    }
    if (to.endsWith('15')) {
      session.destroy(); // it was taken, and the answer is lost
      return;
    }
    const id = 'm' + ++number;
    session.send(pdu.response({ message_id: id }));
    say({ peer: 'smpp', to, text: String(pdu.short_message.message), udh: pdu.short_message.udh?.length ?? 0, coding: pdu.data_coding, source: pdu.source_addr, receipt: pdu.registered_delivery });
    const stat = to.endsWith('16') ? 'UNDELIV' : 'DELIVRD';
    session.deliver_sm({
      source_addr: to, destination_addr: pdu.source_addr, esm_class: 4,
      short_message: `id:${id} sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:${stat} err:000 text:x`,
    });
  });
});

const [smppPort, telegramPort, pushPort] = [await free(), await free(), await free()];
centre.listen(smppPort, '127.0.0.1');
const telegram = new TelegramServer({ port: telegramPort, host: '127.0.0.1', storage: 'RAM', storeTimeout: 300 });
await telegram.start();
new WebPushTestingServer(new PushApiModel(), pushPort).startServer();
say({ peer: 'ready', smpp: `127.0.0.1:${smppPort}`, telegram: `http://127.0.0.1:${telegramPort}`, push: `http://localhost:${pushPort}` });
setInterval(() => {
  for (const m of telegram.storage.botMessages.splice(0)) say({ peer: 'telegram', to: String(m.message.chat_id), text: m.message.text });
}, 20);
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
