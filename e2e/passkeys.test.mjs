// Passkeys, in a real browser with Chromium's virtual authenticator: from the address that cannot have any to the last
// one that is removed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { acceptInvitation, becomeFirstAdmin, PASSWORD, send } from './people.mjs';
import { desk, phone, screenshot, startBrowser, startPlatform, violations } from './platform.mjs';
import { startTelegram } from './telegram.mjs';

const ADDRESS = 'narges@meydan.example';
let telegram; let platform; let browser; let admin; let owner; let device; let local;

before(async () => {
  telegram = await startTelegram();
  platform = await startPlatform(telegram.url);
  browser = await startBrowser();
  admin = await browser.person();
  owner = await browser.person();
  local = platform.url.replace('127.0.0.1', 'localhost');
});

after(async () => {
  await browser?.stop();
  await platform?.stop();
  telegram?.stop();
});

const open = (page, path, site = local) => page.goto(new URL(path, site).href, { waitUntil: 'load' });

// An authenticator built into the device of a page, whose owner is there and agrees.
async function carry(page, options = {}) {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true, ...options },
  });
  const call = (method, more = {}) => session.send(`WebAuthn.${method}`, { authenticatorId, ...more });
  return {
    agrees: (yes) => call('setUserVerified', { isUserVerified: yes }),
    keys: async () => (await call('getCredentials')).credentials,
    keep: (credential) => call('addCredential', { credential }),
    forget: (credentialId) => call('removeCredential', { credentialId }),
  };
}

async function sound(page, name) {
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(page.wrong, []);
  if (!name) return;
  for (const [width, height] of [desk, phone]) await screenshot(page, `${name}-${await page.getAttribute('html', 'lang')}-${width}`, width, height);
}

async function inEnglish(page, name) {
  await send(page, 'button[name=locale][value=en]:visible');
  await sound(page, name);
  await send(page, 'button[name=locale][value=fa]:visible');
}

const use = (page) => send(page, 'form[data-passkey=use] button');
const logOut = (page) => send(page, 'form[action="/logout"]:visible button');

test('where the panel has a number for a name, people are told where passkeys work', async () => {
  await open(admin, platform.firstLink, platform.url);
  await becomeFirstAdmin(admin);
  await open(admin, '/admin/campaigns/new', platform.url);
  const fields = { candidate_name: 'نرگس زاینده‌فر', slug: 'tehran', office: 'شورای شهر', constituency: 'تهران', owner_name: 'نرگس زاینده‌فر', owner_email: ADDRESS };
  for (const [name, value] of Object.entries(fields)) await admin.fill(`input[name=${name}]`, value);
  await send(admin, 'form[action="/admin/campaigns"] button[type=submit]');
  const link = await admin.inputValue('#secret-link');
  await open(admin, '/account/factors', platform.url);
  assert.equal(await admin.locator('form[data-passkey]').count(), 0);
  assert.equal(await admin.getAttribute('a[href$="/account/factors"]:has(bdi)', 'href'), `${local.replace(/\/$/, '')}/account/factors`);
  await sound(admin, 'factors-elsewhere');
  await open(owner, '/login', platform.url);
  await sound(owner, 'login-elsewhere');
  await send(owner, '.passkey-elsewhere a');
  assert.equal(owner.url(), new URL('/login', local).href);
  await open(owner, new URL(link).pathname);
  await acceptInvitation(owner);
});

test('a passkey is added, and brings ten recovery codes', async () => {
  device = await carry(owner);
  await open(owner, '/account/factors');
  await sound(owner, 'factors-none');
  await owner.fill('#passkey-name', 'لپ‌تاپ');
  await device.agrees(false);
  await owner.click('form[data-passkey=create] button');
  await owner.waitForSelector('[data-passkey-problem]:visible');
  await sound(owner, 'factors-cancelled');
  await device.agrees(true);
  await send(owner, 'form[data-passkey=create] button');
  assert.equal(await owner.locator('#codes li').count(), 10);
  await sound(owner);
  const [key] = await device.keys();
  assert.equal(key.isResidentCredential, true);
  assert.equal(key.rpId, 'localhost');
  await open(owner, '/account/factors');
  assert.match(await owner.textContent('table'), /لپ‌تاپ/);
  await sound(owner, 'factors-passkey');
  await inEnglish(owner, 'factors-passkey');
  await owner.fill('#passkey-name', 'again');
  await owner.click('form[data-passkey=create] button');
  await owner.waitForSelector('[data-passkey-problem]:visible');
  assert.match(await owner.textContent('[data-passkey-problem]'), /از پیش/);
});

test('it is the second step after a password', async () => {
  await logOut(owner);
  await open(owner, '/login?next=%2Fc%2Ftehran%2Fteam');
  await sound(owner, 'login-passkey');
  await inEnglish(owner, 'login-passkey');
  await open(owner, '/login?next=%2Fc%2Ftehran%2Fteam');
  await owner.fill('input[name=email]', ADDRESS);
  await owner.fill('input[name=password]', PASSWORD);
  await send(owner, 'form[action="/login"] button[type=submit]');
  assert.match(owner.url(), /\/login\/factor/);
  await sound(owner, 'login-factor-passkey');
  await inEnglish(owner, 'login-factor-passkey');
  await owner.check('input[type=checkbox][name=trusted]');
  await use(owner);
  assert.match(owner.url(), /\/c\/tehran\/team$/);
  await open(owner, '/account/sessions');
  assert.match(await owner.textContent('tbody'), /دستگاه شخصی/);
});

test('it opens a session alone, and the history says so', async () => {
  await logOut(owner);
  await open(owner, '/login');
  await use(owner);
  assert.match(owner.url(), /\/c\/tehran$/);
  await open(owner, '/account/history');
  assert.match(await owner.textContent('tbody tr:first-child'), /با گذرکلید/);
  await sound(owner, 'history-passkey');
});

test('it proves once more who somebody is', async () => {
  await open(owner, '/account/prove?next=%2Faccount%2Ffactors');
  await sound(owner, 'prove-passkey');
  await inEnglish(owner, 'prove-passkey');
  await open(owner, '/account/prove?next=%2Faccount%2Ffactors');
  const before = (await owner.context().cookies()).find((cookie) => cookie.name === 'meydan').value;
  await use(owner);
  assert.match(owner.url(), /\/account\/factors$/);
  assert.notEqual((await owner.context().cookies()).find((cookie) => cookie.name === 'meydan').value, before);
});

test('a copy whose count went back is refused, and its holder sees it', async () => {
  const [key] = await device.keys();
  await device.forget(key.credentialId);
  await device.keep({ ...key, signCount: 0 });
  const thief = await browser.person();
  const stolen = await carry(thief);
  await stolen.keep({ ...key, signCount: 0 });
  await open(thief, '/login');
  await use(thief);
  assert.match(thief.url(), /\/login\/passkey$/);
  assert.equal(await thief.locator('.notice-bad').count(), 1);
  await sound(thief, 'login-passkey-refused');
  await open(owner, '/account/history');
  assert.match(await owner.textContent('tbody'), /شمارنده/);
  await sound(owner, 'history-copied');
  await device.forget(key.credentialId);
  await device.keep({ ...key, signCount: key.signCount + 10 });
});

test('without scripts there is no button, and everything else works', async () => {
  const plain = await browser.person({ javaScriptEnabled: false });
  await open(plain, '/login');
  assert.equal(await plain.locator('form[data-passkey]:visible').count(), 0);
  await plain.fill('input[name=email]', ADDRESS);
  await plain.fill('input[name=password]', PASSWORD);
  await send(plain, 'form[action="/login"] button[type=submit]');
  assert.equal(await plain.locator('input[name=code]').count(), 1);
});

test('removed, it opens nothing any more', async () => {
  await open(owner, '/account/factors');
  await send(owner, 'form[action$="/remove"] button');
  assert.equal(await owner.locator('table').count(), 0);
  await logOut(owner);
  await open(owner, '/login');
  await use(owner);
  assert.equal(await owner.locator('.notice-bad').count(), 1);
  assert.match(owner.url(), /\/login\/passkey$/);
});

test('an admin adds one at the address that has a name, and comes in with it alone', async () => {
  const boss = await browser.person();
  await carry(boss);
  await boss.context().addCookies((await admin.context().cookies()).map((cookie) => ({ ...cookie, domain: 'localhost' })));
  await open(boss, '/account/factors');
  await boss.fill('#passkey-name', 'کلید');
  await send(boss, 'form[data-passkey=create] button');
  await logOut(boss);
  await open(boss, '/login?next=%2Fadmin%2Fcampaigns');
  await use(boss);
  assert.match(boss.url(), /\/admin\/campaigns$/);
});
