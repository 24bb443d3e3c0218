// A day of the platform's admins, and of somebody in a campaign, with the keyboard alone: no mouse touches a page.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addFactor, choose, follow, nav, newPassword, proving, reach, submit, write } from './keyboard.mjs';
import { codeOf, PASSWORD } from './people.mjs';
import { desk, phone, screenshot, startBrowser, startPlatform, violations } from './platform.mjs';
import { startTelegram } from './telegram.mjs';

const TOKEN = '123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1';
const OWNER = { name: 'نرگس زاینده‌فر', email: 'narges@meydan.example' };
const SECOND = { name: 'سعید نوری', email: 'saeed@meydan.example' };
let telegram; let platform; let browser; let admin; let owner; let second; let secret;

before(async () => {
  telegram = await startTelegram();
  platform = await startPlatform(telegram.url);
  browser = await startBrowser();
  [admin, owner, second] = [await browser.person(), await browser.person(), await browser.person()];
});

after(async () => {
  await browser?.stop();
  await platform?.stop();
  telegram?.stop();
});

// What somebody writes where the browser shows addresses.
const open = (page, path) => page.goto(new URL(path, platform.url).href, { waitUntil: 'load' });
const proved = (action, fill) => proving(admin, action, () => codeOf(secret), fill);
const secretLink = (page) => page.inputValue('#secret-link');
const toast = (page) => page.textContent('[data-toast]');

async function sound(page, name) {
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(page.wrong, []);
  if (!name) return;
  for (const [width, height] of [desk, phone]) await screenshot(page, `${name}-${await page.getAttribute('html', 'lang')}-${width}`, width, height);
}

async function logIn(page) {
  await open(page, '/login');
  await write(page, 'email', OWNER.email);
  await write(page, 'password', PASSWORD);
  await submit(page, '/login');
}

test('the one-time link makes the first admin, with a second factor', async () => {
  await open(admin, platform.firstLink);
  await sound(admin);
  await write(admin, 'display_name', 'مدیر سامانه');
  await write(admin, 'email', 'admin@meydan.example');
  await newPassword(admin);
  ({ secret } = await addFactor(admin, sound));
  await nav(admin, '/admin/campaigns');
  assert.match(admin.url(), /\/admin\/campaigns$/);
  await sound(admin);
});

test('a campaign is created, its owner accepts, and its bot is connected', async () => {
  await follow(admin, 'main a[href="/admin/campaigns/new"]');
  await sound(admin);
  const fields = { candidate_name: OWNER.name, slug: 'tehran', office: 'شورای شهر', constituency: 'تهران', owner_name: OWNER.name, owner_email: OWNER.email };
  for (const [name, value] of Object.entries(fields)) await write(admin, name, value);
  await submit(admin, '/admin/campaigns');
  await sound(admin);
  await open(owner, await secretLink(admin));
  await sound(owner);
  await newPassword(owner);
  assert.match(owner.url(), /\/c\/tehran$/);
  await sound(owner);
  await nav(admin, '/admin/campaigns');
  await follow(admin, 'a.row-link', OWNER.name);
  await proved('/bot', () => write(admin, 'token', TOKEN));
  await admin.waitForSelector('.bot-state.tone-good', { timeout: 15000 });
  await sound(admin, 'keys-campaign');
});

test('somebody in the campaign reads, answers and settles without a mouse', async () => {
  telegram.say(4200000001, 'زهرا', 'سلام، آسفالت کوچهٔ ما سه ماه است خراب است');
  await nav(owner, '/c/tehran/inbox');
  await owner.waitForSelector('a.ticket');
  await sound(owner);
  await reach(owner, 'a.ticket');
  await owner.keyboard.press('Enter');
  await owner.waitForFunction(() => document.activeElement.id === 'talk-title');
  await sound(owner);
  await owner.keyboard.press('r');
  await owner.keyboard.type('سلام زهرا خانم، پیگیری می‌کنیم.');
  await owner.keyboard.press('Control+Enter');
  await owner.waitForSelector('.delivery.is-sent', { timeout: 15000 });
  const before = await owner.textContent('.talk-head .pill');
  await reach(owner, '.move[value=resolved]');
  await owner.keyboard.press('Enter');
  await owner.waitForFunction((was) => document.querySelector('.talk-head .pill').textContent !== was, before);
  await sound(owner);
});

test('the menu of a phone and the help open, are walked through and close', async () => {
  await owner.setViewportSize({ width: phone[0], height: phone[1] });
  await reach(owner, '.menu > summary');
  await owner.keyboard.press('Enter');
  await reach(owner, '.menu-panel a[href="/c/tehran/team"]');
  await owner.keyboard.press('Escape');
  assert.equal(await owner.locator('.menu[open]').count(), 0);
  assert.ok(await owner.evaluate(() => document.activeElement.matches('.menu > summary')));
  await owner.keyboard.press('Enter');
  await follow(owner, '.menu-panel a[href="/c/tehran/team"]');
  await sound(owner);
  await reach(owner, '.row-link');
  await owner.keyboard.press('Shift+Slash');
  await owner.waitForSelector('#help[open]');
  await reach(owner, '#help button');
  await owner.keyboard.press('Enter');
  assert.equal(await owner.locator('#help[open]').count(), 0);
  assert.ok(await owner.evaluate(() => document.activeElement.matches('.row-link')));
});

test('sessions are ended, and an account is suspended and works again', async () => {
  await nav(admin, '/admin/accounts');
  await sound(admin);
  await write(admin, 'email', OWNER.email);
  await follow(admin, 'form[action="/admin/accounts"] button');
  await follow(admin, 'a.row-link', OWNER.name);
  await sound(admin, 'keys-account-detail');
  await submit(admin, '/sessions/end');
  await sound(admin);
  await open(owner, '/c/tehran');
  assert.match(owner.url(), /\/login/);
  await proved('/suspend');
  assert.ok(await toast(admin));
  await sound(admin);
  await logIn(owner);
  assert.equal(await owner.locator('.notice-bad').count(), 1);
  await sound(owner);
  await proved('/reactivate');
  await sound(admin);
  await logIn(owner);
  assert.match(owner.url(), /\/c\/tehran$/);
});

test('an admin looks at a campaign as its owner, under a banner, and ends the look', async () => {
  await proved('/impersonate', () => write(admin, 'reason', 'مالک ستاد گفت که صندوق پیام‌ها را نمی‌بیند.'));
  assert.match(admin.url(), /\/c\/tehran$/);
  assert.equal(await admin.locator('.strip-impersonation').count(), 1);
  await sound(admin, 'keys-impersonated');
  await nav(admin, '/c/tehran/inbox');
  await sound(admin);
  await follow(admin, '.strip-impersonation button');
  assert.match(admin.url(), /\/admin\/accounts\/[0-9a-f-]{36}/);
  assert.equal(await admin.locator('.strip-impersonation').count(), 0);
  await sound(admin);
});

test('a second admin is asked, accepts, works and is dismissed', async () => {
  await nav(admin, '/admin/accounts');
  await follow(admin, 'main a[href="/admin/accounts/admins"]');
  await sound(admin, 'keys-admins');
  await proved('/admin/accounts/admins', async () => {
    await write(admin, 'name', SECOND.name);
    await write(admin, 'email', SECOND.email);
  });
  await sound(admin, 'keys-admins-asked');
  await open(second, await secretLink(admin));
  await sound(second);
  await newPassword(second);
  await sound(second);
  await addFactor(second, sound);
  await nav(second, '/admin/campaigns');
  await sound(second);
  await nav(admin, '/admin/accounts');
  await follow(admin, 'main a[href="/admin/accounts/admins"]');
  await follow(admin, 'a.row-link', SECOND.name);
  await proved('/dismiss');
  await sound(admin);
  await open(second, '/admin/campaigns');
  assert.equal(await second.locator('main table').count(), 0);
  await sound(second);
});

test('what may be done and what happened is read', async () => {
  await nav(admin, '/admin/permissions');
  await sound(admin, 'keys-admin-permissions');
  await nav(admin, '/admin/security');
  assert.ok(await admin.locator('tbody tr').count() > 3);
  await sound(admin, 'keys-admin-security');
  await nav(admin, '/admin/audit');
  await sound(admin, 'keys-admin-audit');
  await choose(admin, 'campaign', OWNER.name);
  await choose(admin, 'who', 'service');
  await follow(admin, '.audit-filter button[type=submit]');
  assert.ok(await admin.locator('tbody tr').count() > 0);
  await follow(admin, '.audit-go a');
  await reach(admin, 'a.audit-follow');
  await follow(admin, 'a.audit-follow');
  assert.match(admin.url(), /correlation=/);
  await sound(admin);
});

test('a campaign is edited, stopped, about to be deleted, and kept', async () => {
  await nav(admin, '/admin/campaigns');
  await follow(admin, 'a.row-link', OWNER.name);
  await follow(admin, 'main a[href$="/edit"]');
  await sound(admin);
  await write(admin, 'office', 'شورای شهر تهران');
  await submit(admin, '/edit');
  assert.match(await admin.textContent('.column-side'), /شورای شهر تهران/);
  await choose(admin, 'status', 'suspended');
  await submit(admin, '/status');
  await sound(admin);
  await proved('/deletion', () => write(admin, 'confirmation', 'tehran'));
  await sound(admin, 'keys-campaign-leaving');
  await submit(admin, '/deletion/withdraw');
  assert.equal(await admin.locator('form[action$="/deletion"]').count(), 1);
  await sound(admin);
});

test('an admin chooses English and the clock of Berlin', async () => {
  await follow(admin, '.sidebar a.me');
  await sound(admin, 'keys-account');
  await choose(admin, 'locale', 'en');
  await submit(admin, '/account/preferences');
  assert.equal(await admin.getAttribute('html', 'lang'), 'en');
  await reach(admin, 'select[name="time_zone"]');
  await admin.keyboard.type('Berlin');
  assert.equal(await admin.inputValue('select[name="time_zone"]'), 'Europe/Berlin');
  await submit(admin, '/account/preferences');
  await sound(admin, 'keys-account');
  await follow(admin, '.tabs a[href="/account/history"]');
  const time = admin.locator('tbody time').first();
  const clock = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Berlin', hour: '2-digit', minute: '2-digit' });
  assert.match(await time.textContent(), new RegExp(clock.format(new Date(await time.getAttribute('datetime')))));
  await sound(admin);
  for (const path of ['/admin/campaigns', '/admin/security', '/admin/audit', '/admin/permissions', '/admin/accounts']) {
    await nav(admin, path);
    await sound(admin, `keys${path.replaceAll('/', '-')}`);
  }
  await follow(admin, 'main a[href="/admin/accounts/admins"]');
  await sound(admin, 'keys-admins');
  await follow(admin, '.back');
  await follow(admin, 'a.row-link', OWNER.name);
  await sound(admin, 'keys-account-detail');
});
