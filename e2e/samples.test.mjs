// Every page in every state that the samples know, refusals and empty lists included, in either language at the width of a
// phone and of a desk: axe, width, the policy, and the keyboard alone.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { unreachable } from './keyboard.mjs';
import { desk, phone, root, startBrowser, unsound } from './platform.mjs';

const folder = path.join(root, 'target/samples');
const policy = fs.readFileSync(path.join(folder, 'policy.txt'), 'utf8');
const types = { html: 'text/html; charset=utf-8', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml', woff2: 'font/woff2' };
// Either theme comes in each language and at each width. The samples of the first look are loaded.
const looks = { fa: [[phone, 'light'], [desk, 'dark']], en: [[phone, 'dark'], [desk, 'light']] };
// Pages of the browser that have nothing to do: making one for each test takes long.
const idle = [];
let server; let browser;

before(async () => {
  server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://samples');
    const file = path.join(folder, path.normalize(pathname));
    if (!fs.existsSync(file) || !fs.statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    const kept = pathname.startsWith('/static/') ? 'max-age=3600' : 'no-store';
    response.writeHead(200, { 'content-type': types[file.split('.').pop()] ?? 'text/plain', 'content-security-policy': policy, 'cache-control': kept });
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

// A page that shows a sample, of a window with a size.
async function show([width, height], sample) {
  const page = idle.pop() ?? await browser.person({ reducedMotion: 'reduce' });
  await page.setViewportSize({ width, height });
  await page.goto(`http://127.0.0.1:${server.address().port}/${sample}`, { waitUntil: 'load' });
  return page;
}

// Leaves a page to the next test, which hears nothing of this one.
async function leave(page) {
  await page.goto('about:blank');
  page.wrong.length = 0;
  idle.push(page);
}

// In the page: puts a theme on, and does not wait until the colours have changed.
function dress(theme) {
  document.documentElement.dataset.bsTheme = theme;
  for (const change of document.getAnimations()) if (change instanceof CSSTransition) change.finish();
}

test('the keyboard\'s check finds what is wrong', async () => {
  const page = await show(phone, 'fa-light/home.html');
  await page.evaluate(() => {
    const [first, second, third] = document.querySelectorAll('.row-link');
    first.tabIndex = -1;
    second.style.outline = 'none';
    third.addEventListener('keydown', (event) => event.shiftKey && event.key === 'Tab' && event.preventDefault());
  });
  const found = (await unreachable(page)).join('\n');
  for (const words of [/^Tab does not reach <a class="row-link"/m, /^Tab: nothing shows/m, /^Shift\+Tab never leaves/m]) assert.match(found, words);
  await leave(page);
});

test('a list whose choice is refused has its arrow alone, and as much room for it as any other', async () => {
  for (const variant of ['fa-light', 'en-dark']) {
    const page = await show(phone, `${variant}/audit-nobody.html`);
    const [refused, other] = await page.evaluate(() => ['select.is-invalid', 'select:not(.is-invalid)'].map((which) => {
      const { backgroundImage, paddingInline } = getComputedStyle(document.querySelector(which));
      return { pictures: backgroundImage.match(/url\(/g).length, paddingInline };
    }));
    assert.deepEqual(refused, other, variant);
    assert.equal(refused.pictures, 1);
    await leave(page);
  }
});

for (const [locale, sights] of Object.entries(looks)) {
  describe(locale, { concurrency: 2 }, () => {
    const [[size, first]] = sights;
    const variant = `${locale}-${first}`;
    const pages = fs.readdirSync(path.join(folder, variant)).filter((name) => !name.startsWith('fragment-'));
    assert.ok(pages.length > 0);
    for (const name of pages) {
      test(`${path.parse(name).name} is sound, and the keyboard reaches all of it`, async () => {
        const page = await show(size, `${variant}/${name}`);
        const found = [];
        for (const [[width, height], theme] of sights) {
          await page.setViewportSize({ width, height });
          await page.evaluate(dress, theme);
          for (const wrong of [...await unsound(page), ...await unreachable(page)]) found.push(`${width} pixels, ${theme}: ${wrong}`);
        }
        assert.deepEqual([...found, ...page.wrong], []);
        await leave(page);
      });
    }
  });
}
