// Every page in every state that the samples know, refusals and empty lists included: axe, width, and the policy.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { desk, phone, root, startBrowser, violations } from './platform.mjs';

const folder = path.join(root, 'target/samples');
const policy = fs.readFileSync(path.join(folder, 'policy.txt'), 'utf8');
const types = { html: 'text/html; charset=utf-8', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml', woff2: 'font/woff2' };
let server; let browser;

before(async () => {
  server = http.createServer((request, response) => {
    const file = path.join(folder, path.normalize(new URL(request.url, 'http://samples').pathname));
    if (!fs.existsSync(file) || !fs.statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': types[file.split('.').pop()] ?? 'text/plain', 'content-security-policy': policy });
    response.end(fs.readFileSync(file));
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  browser = await startBrowser();
});

after(async () => {
  await browser?.stop();
  server?.closeAllConnections();
  server?.close();
});

// Either theme and either direction, each at one width: what differs between the others is covered by the journeys.
for (const [variant, size] of [['fa-light', phone], ['en-dark', desk]]) {
  describe(`${variant}, ${size[0]} pixels wide`, { concurrency: 2 }, () => {
    const pages = fs.readdirSync(path.join(folder, variant)).filter((name) => !name.startsWith('fragment-'));
    assert.ok(pages.length > 0);
    for (const name of pages) {
      test(`${path.parse(name).name} is sound`, async () => {
        const page = await browser.person({ viewport: { width: size[0], height: size[1] } });
        await page.goto(`http://127.0.0.1:${server.address().port}/${variant}/${name}`, { waitUntil: 'load' });
        assert.deepEqual(await violations(page, [size]), []);
        assert.deepEqual(page.wrong, []);
        await page.context().close();
      });
    }
  });
}
