// Every page in every state that the samples know, refusals and empty lists included: axe, width, the policy, and the
// keyboard alone.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { unreachable } from './keyboard.mjs';
import { desk, phone, root, scrollsSideways, startBrowser, violations } from './platform.mjs';

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

test('the keyboard\'s check finds what is wrong', async () => {
  const page = await browser.person({ viewport: { width: phone[0], height: phone[1] }, reducedMotion: 'reduce' });
  await page.goto(`http://127.0.0.1:${server.address().port}/fa-light/home.html`, { waitUntil: 'load' });
  await page.evaluate(() => {
    const [first, second, third] = document.querySelectorAll('.row-link');
    first.tabIndex = -1;
    second.style.outline = 'none';
    third.addEventListener('keydown', (event) => event.shiftKey && event.key === 'Tab' && event.preventDefault());
  });
  const found = (await unreachable(page)).join('\n');
  for (const words of [/^Tab does not reach <a class="row-link"/m, /^Tab: nothing shows/m, /^Shift\+Tab never leaves/m]) assert.match(found, words);
  await page.context().close();
});

// Either theme and either direction, each page at the width of a phone in one and of a desk in the other: axe and the
// keyboard look at it once at each.
for (const [variant, size, other] of [['fa-light', phone, desk], ['en-dark', desk, phone]]) {
  describe(variant, { concurrency: 2 }, () => {
    const pages = fs.readdirSync(path.join(folder, variant)).filter((name) => !name.startsWith('fragment-'));
    assert.ok(pages.length > 0);
    for (const name of pages) {
      test(`${path.parse(name).name} is sound, and the keyboard reaches all of it`, async () => {
        const page = await browser.person({ viewport: { width: size[0], height: size[1] }, reducedMotion: 'reduce' });
        await page.goto(`http://127.0.0.1:${server.address().port}/${variant}/${name}`, { waitUntil: 'load' });
        assert.deepEqual(await violations(page, [size]), []);
        assert.deepEqual(await unreachable(page), []);
        for (const [width, height] of [size, other]) {
          await page.setViewportSize({ width, height });
          assert.equal(await scrollsSideways(page), false, `${width} pixels wide`);
        }
        assert.deepEqual(page.wrong, []);
        await page.context().close();
      });
    }
  });
}
