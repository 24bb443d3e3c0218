// A small Bot API for browser tests: enough to be asked for updates and to be sent messages.
import http from 'node:http';

export async function startTelegram() {
  const updates = [];
  const sent = [];
  const waiting = new Set();
  let next = 1;
  const wake = () => { for (const answer of waiting) answer(); waiting.clear(); };

  async function method(name, parameters) {
    switch (name) {
      case 'getMe': return { id: 123456789, is_bot: true, first_name: 'ستاد نرگس', username: 'narges_bot' };
      case 'getUpdates': {
        const due = () => updates.filter((update) => update.update_id >= (parameters.offset ?? 0));
        if (due().length === 0) await new Promise((answer) => { waiting.add(answer); setTimeout(answer, 5000).unref(); });
        return due();
      }
      case 'sendMessage':
        sent.push(parameters);
        return { message_id: 1000 + sent.length, date: 1, chat: { id: parameters.chat_id, type: 'private' } };
      default: return true;
    }
  }

  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (piece) => { body += piece; });
    request.on('end', async () => {
      const name = request.url.split('/').pop();
      const result = await method(name, body ? JSON.parse(body) : {});
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ok: true, result }));
    });
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));

  return {
    url: `http://127.0.0.1:${server.address().port}`,
    sent,
    say(chat, first_name, text) {
      const person = { id: chat, is_bot: false, first_name, language_code: 'fa' };
      updates.push({
        update_id: next,
        message: { message_id: next, date: Math.floor(Date.now() / 1000), from: person, text, chat: { id: chat, type: 'private', first_name } },
      });
      next += 1;
      wake();
    },
    stop() { wake(); server.closeAllConnections(); server.close(); },
  };
}
