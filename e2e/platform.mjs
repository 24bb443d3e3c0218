// The program under test, in a folder of its own, and the browser that looks at it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';

export const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..');
// The README's pictures are made anew only when asked for, so that a test run leaves the tree as it was. The name has no
// prefix of ours: the program refuses settings that it does not know.
export const screens = path.join(root, process.env.SCREENS ?? 'target/screens');

export const flags = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--no-first-run', '--no-default-browser-check', '--disable-extensions'];

// With `demo` it is ready once the invented campaigns have been played, and `invitations` holds their owners' links.
export async function startPlatform(telegram, { demo = false } = {}) {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'meydan-browser-'));
  fs.chmodSync(data, 0o755);
  const built = path.join(root, process.env.PROGRAM ?? 'target/debug/meydan');
  const program = spawn(built, ['up', '--runtime', path.join(root, '.meydan/runtime'), ...(demo ? ['--demo'] : [])], {
    env: {
      ...process.env, MEYDAN_DATA_DIR: data, MEYDAN_LISTEN: '127.0.0.1:0', MEYDAN_METRICS_LISTEN: '127.0.0.1:0',
      MEYDAN_TELEGRAM_API_URL: telegram, MEYDAN_RATE_LIMIT: '100000', MEYDAN_LOGIN_LIMIT: '1000', MEYDAN_LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  const told = demo ? /Data, keys[^]*\/welcome\/\S+\n\n$/ : /Data, keys/;
  const links = () => said.match(/\S+\/welcome\/\S+/g) ?? [];
  await new Promise((ready, failed) => {
    program.on('exit', () => failed(new Error(`the program ended: ${said}`)));
    program.stdout.on('data', (piece) => { said += piece; if (told.test(said)) ready(); });
  });
  return {
    url: said.match(/runs: (\S+)/)[1],
    firstLink: links()[0],
    invitations: links().slice(1),
    // The letter to an address, or its second and so on. The folder of data tells when the file of letters changes.
    letter: (to, which = 1) => letter(path.join(data, 'letters.txt'), to, which),
    async stop() {
      program.removeAllListeners('exit');
      const ended = new Promise((done) => program.once('exit', done));
      program.kill('SIGTERM');
      await ended;
      fs.rmSync(data, { recursive: true, force: true });
    },
  };
}

async function letter(file, to, which) {
  const changes = fs.watch(path.dirname(file));
  const patience = AbortSignal.timeout(15000);
  try {
    for (;;) {
      const all = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n---\n') : [];
      const found = all.filter((one) => new RegExp(`^(To|SMS to): ${to.replace('+', '\\+')}$`, 'm').test(one));
      if (found.length >= which) return found[which - 1];
      await once(changes, 'change', { signal: patience });
    }
  } finally {
    changes.close();
  }
}

// Without windows, which nobody sees here and which cost a third of the time.
const chromiumShell = '/usr/bin/chromium-headless-shell';
// The policy closes what any browser knows. This one, on Linux, does not know these; one that is misspelt is none of them.
const unknownFeatures = ['bluetooth', 'browsing-topics'];

export async function startBrowser() {
  const browser = await chromium.launch({ executablePath: chromiumShell, args: flags });
  return {
    stop: () => browser.close(),
    // A person with a browser of their own, whose console and content security policy are listened to.
    async person(options = {}) {
      const context = await browser.newContext({ locale: 'fa-IR', timezoneId: 'Asia/Tehran', viewport: { width: 1366, height: 900 }, ...options });
      const page = await context.newPage();
      page.wrong = [];
      page.on('console', (message) => {
        const text = message.text();
        const [, unknown] = text.match(/Permissions-Policy header: Unrecognized feature: '([^']*)'/) ?? [];
        const expected = unknownFeatures.includes(unknown) || text.includes('the server responded with a status of 4');
        if (['error', 'warning'].includes(message.type()) && !expected) page.wrong.push(text);
      });
      page.on('pageerror', (error) => page.wrong.push(String(error)));
      if (options.javaScriptEnabled !== false) {
        await page.addInitScript(() => {
          document.addEventListener('securitypolicyviolation', (event) => console.error('csp', event.violatedDirective, event.blockedURI));
        });
      }
      return page;
    },
  };
}

export const desk = [1366, 900];
export const phone = [390, 844];

// What is wrong on a page as it stands: what axe finds, and that it scrolls sideways.
export async function unsound(page) {
  await page.evaluate(() => document.fonts.ready);
  // In the page itself: results of frames from elsewhere are put together in one more, and there are no such frames. What is
  // sound is not listed.
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] });
  const result = await axe.withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze();
  const found = result.violations.map((violation) => `${violation.id} ${violation.nodes[0]?.html}`);
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  return sideways ? [...found, 'the page scrolls sideways'] : found;
}

// The same at the width of a desk and of a phone. The window has that of a desk afterwards.
export async function violations(page) {
  const found = [];
  for (const [width, height] of [desk, phone]) {
    await page.setViewportSize({ width, height });
    found.push(...(await unsound(page)).map((wrong) => `${width}: ${wrong}`));
  }
  await page.setViewportSize({ width: desk[0], height: desk[1] });
  return found;
}

export async function screenshot(page, name, width = 1366, height = 900) {
  fs.mkdirSync(screens, { recursive: true });
  await page.setViewportSize({ width, height });
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: path.join(screens, `${name}.png`) });
  await page.setViewportSize({ width: 1366, height: 900 });
}
