// Lighthouse on the pages where people spend their time: accessibility and best practices have to hold, performance is shown.
//
// `node e2e/lighthouse.mjs [runs]` measures each page so many times and takes the middle one. The pages keep a stream
// of live updates open, so a load never ends by itself: Lighthouse is told to wait 15 seconds at most. The score for search
// engines is low on purpose, for the pages ask not to be found. The last report of each page is kept in target/lighthouse.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import lighthouse, { desktopConfig } from 'lighthouse';
import { chromium } from 'playwright-core';
import { acceptInvitation, becomeFirstAdmin } from './people.mjs';
import { flags, root, startPlatform } from './platform.mjs';
import { startTelegram } from './telegram.mjs';

const reports = path.join(root, 'target/lighthouse');
const runs = Number(process.argv[2] ?? 1);
const categories = ['performance', 'accessibility', 'best-practices', 'seo'];
const bars = { accessibility: 100, 'best-practices': 95 };
const presets = { mobile: undefined, desktop: desktopConfig };
// Who looks at what. Nobody is logged in at first; each invitation leaves a session behind.
const visits = [
  { enter: null, pages: { login: '/login' } },
  { enter: admin, pages: { campaigns: '/admin/campaigns', 'campaign form': '/admin/campaigns/new' } },
  { enter: owner, pages: { home: '', inbox: '/inbox', conversation: '/inbox/1001' } },
];

async function admin(page, platform) {
  await page.goto(platform.firstLink);
  await becomeFirstAdmin(page);
  return platform.url;
}

async function owner(page, platform) {
  await page.goto(platform.invitations[0]);
  await acceptInvitation(page);
  return page.url();
}

// A Chromium that both Playwright, which logs in, and Lighthouse, which measures, talk to.
async function startChromium() {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'meydan-lighthouse-'));
  const context = await chromium.launchPersistentContext(profile, { executablePath: '/usr/bin/chromium', args: ['--headless=new', ...flags, '--remote-debugging-port=0'] });
  const port = Number(fs.readFileSync(path.join(profile, 'DevToolsActivePort'), 'utf8').split('\n')[0]);
  return {
    context,
    port,
    async stop() {
      await context.close();
      fs.rmSync(profile, { recursive: true, force: true });
    },
  };
}

const middle = (values) => values.sort((one, two) => one - two)[Math.floor(values.length / 2)];

// The middle score of each category over all runs, and what cost points where there is a bar.
async function measure(name, url, preset, port) {
  const results = [];
  let spoilt = 0;
  while (results.length < runs) {
    const options = { port, output: 'html', onlyCategories: categories, maxWaitForLoad: 15_000, logLevel: 'error', locale: 'en' };
    const { lhr, report } = await lighthouse(url, options, presets[preset]);
    if (lhr.runtimeError) {
      // On a busy machine Chromium's trace may begin too late; that measures nothing, and is measured again.
      spoilt += 1;
      console.error(`${url}, ${preset}: ${lhr.runtimeError.code}`);
      if (spoilt === 3) throw new Error(lhr.runtimeError.message);
      continue;
    }
    if (new URL(lhr.finalDisplayedUrl).pathname !== new URL(url).pathname) throw new Error(`${url} led to ${lhr.finalDisplayedUrl}`);
    fs.writeFileSync(path.join(reports, `${name} ${preset}.html`.replaceAll(' ', '-')), report);
    results.push(lhr);
  }
  const scores = categories.map((category) => middle(results.map((lhr) => Math.round(lhr.categories[category].score * 100))));
  const costly = Object.keys(bars).flatMap((category) => results[0].categories[category].auditRefs
    .filter(({ id, weight }) => weight > 0 && results[0].audits[id].score !== null && results[0].audits[id].score < 1)
    .map(({ id }) => `${id}: ${results[0].audits[id].title} ${results[0].audits[id].details?.items?.[0]?.node?.snippet ?? ''}`));
  const metric = (id) => middle(results.map((lhr) => lhr.audits[id].numericValue ?? 0));
  return { scores, costly, lcp: metric('largest-contentful-paint'), tbt: metric('total-blocking-time') };
}

const row = (cells) => console.log(`| ${cells.join(' | ')} |`);
fs.mkdirSync(reports, { recursive: true });
const telegram = await startTelegram();
const platform = await startPlatform(telegram.url, { demo: true });
const browser = await startChromium();
const below = [];
try {
  row(['page', 'preset', ...categories, 'LCP s', 'blocked ms']);
  row(['---', '---', ...categories.map(() => '--:'), '--:', '--:']);
  for (const { enter, pages } of visits) {
    await browser.context.clearCookies();
    const page = await browser.context.newPage();
    const base = enter ? await enter(page, platform) : platform.url;
    await page.close();
    for (const [name, address] of Object.entries(pages)) {
      for (const preset of Object.keys(presets)) {
        const { scores, costly, lcp, tbt } = await measure(name, base + address, preset, browser.port);
        row([name, preset, ...scores, (lcp / 1000).toFixed(1), Math.round(tbt)]);
        const failed = categories.some((category, at) => scores[at] < (bars[category] ?? 0));
        if (failed) below.push(`${name}, ${preset}: ${costly.join('; ')}`);
      }
    }
  }
} finally {
  await browser.stop();
  await platform.stop();
  telegram.stop();
}
for (const line of below) console.error(`below the bar: ${line}`);
process.exitCode = below.length ? 1 : 0;
