// Starts telegram-test-api on 127.0.0.1 and ends it when standard input ends,
// also when the process that started it was killed and could not clean up.
//
// usage: node start.js PORT

'use strict';

const { TelegramServer } = require('telegram-test-api/lib/telegramServer');

const port = Number(process.argv[2]);
if (!Number.isInteger(port) || port < 1 || port > 65535) {
  process.stderr.write('usage: node start.js PORT\n');
  process.exit(2);
}

// A webhook that answers 4xx or 5xx rejects a promise that the server forgets;
// the update is lost, but the server is not to end with it.
process.on('unhandledRejection', (error) => {
  process.stderr.write(`telegram-test-api: ${error.message}\n`);
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

// A day: messages that nobody fetched are not to vanish during a test.
const server = new TelegramServer({ port, host: '127.0.0.1', storeTimeout: 86400 });
server.start().then(
  () => process.stdout.write(`Running on http://127.0.0.1:${port}\n`),
  (error) => {
    process.stderr.write(`telegram-test-api cannot start: ${error.message}\n`);
    process.exit(1);
  },
);
