// A day of a campaign's owner with the keyboard alone, the telephone's too: the team, a key of a program, a second factor,
// other devices, and the way back in. No mouse touches a page of theirs.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { addFactor, choose, follow, nav, newPassword, pick, proving, submit, tick, write } from './keyboard.mjs';
import { becomeFirstAdmin, PASSWORD, send } from './people.mjs';
import { phone, startBrowser, startPlatform } from './platform.mjs';
import { startTelegram } from './telegram.mjs';

const OWNER = { name: 'نرگس زاینده‌فر', email: 'narges@meydan.example' };
const MEMBER = { name: 'سعید نوری', email: 'saeed@meydan.example' };
const NEW = 'quite another pass phrase 9';
const CAMPAIGN = { candidate_name: OWNER.name, slug: 'tehran', office: 'شورای شهر', constituency: 'تهران', owner_name: OWNER.name, owner_email: OWNER.email };
const small = { viewport: { width: phone[0], height: phone[1] } };
let telegram; let platform; let browser; let owner; let mobile; let codes;

before(async () => {
  telegram = await startTelegram();
  platform = await startPlatform(telegram.url);
  browser = await startBrowser();
  const admin = await browser.person();
  await open(admin, platform.firstLink);
  await becomeFirstAdmin(admin);
  await open(admin, '/admin/campaigns/new');
  for (const [name, value] of Object.entries(CAMPAIGN)) await admin.fill(`input[name=${name}]`, value);
  await send(admin, 'form[action="/admin/campaigns"] button[type=submit]');
  [owner, mobile] = [await browser.person(), await browser.person(small)];
});

after(async () => {
  await browser?.stop();
  await platform?.stop();
  telegram?.stop();
});

afterEach(() => {
  for (const page of [owner, mobile]) assert.deepEqual(page.wrong, []);
});

// What somebody writes where the browser shows addresses.
const open = (page, path) => page.goto(new URL(path, platform.url).href, { waitUntil: 'load' });
const proved = (action, fill) => proving(owner, action, () => PASSWORD, fill);

// The first link of its kind in the letters to the owner.
async function mailed(kind) {
  const link = new RegExp(`http\\S+/${kind}/\\S+`);
  for (let which = 1; ; which += 1) {
    const found = (await platform.letter(OWNER.email, which)).match(link);
    if (found) return found[0];
  }
}

// A password first, and then one of the recovery codes, each of which works once.
async function logIn(page, password) {
  await write(page, 'email', OWNER.email);
  await write(page, 'password', password);
  await submit(page, '/login');
  assert.match(page.url(), /\/login\/factor/);
  await write(page, 'code', codes.pop());
  await submit(page, '/login/factor');
  assert.match(page.url(), /\/c\/tehran$/);
}

test('the owner invites somebody, who comes in', async () => {
  await open(owner, await mailed('welcome'));
  await newPassword(owner);
  await nav(owner, '/c/tehran/team');
  await write(owner, 'name', MEMBER.name);
  await write(owner, 'email', MEMBER.email);
  await pick(owner, 'role', 'support');
  await submit(owner, '/team/invite');
  const member = await browser.person(small);
  await open(member, await owner.inputValue('#secret-link'));
  await newPassword(member);
  assert.match(member.url(), /\/c\/tehran$/);
  assert.deepEqual(member.wrong, []);
  await member.context().close();
});

test('the member gets another role, and single permissions', async () => {
  await nav(owner, '/c/tehran/team');
  await follow(owner, 'a.row-link', MEMBER.name);
  assert.equal(await owner.inputValue('input[name=role]:checked'), 'support');
  await proved('/role', () => pick(owner, 'role', 'staff'));
  assert.equal(await owner.inputValue('input[name=role]:checked'), 'staff');
  await proved('/permissions', async () => {
    await tick(owner, 'may', 'crm:ticket.move');
    await tick(owner, 'may', 'identity:audit.read');
  });
  assert.equal(await owner.locator('.grants .tone-bad').count(), 1);
  assert.equal(await owner.locator('.grants .tone-good').count(), 1);
  await follow(owner, '.back');
  await follow(owner, 'main a[href$="/team/permissions"]');
  assert.equal(await owner.locator('.holders .tone-bad, .holders .tone-good').count(), 2);
});

test('the member is deactivated', async () => {
  await follow(owner, '.holders a', MEMBER.name);
  await submit(owner, '/deactivate');
  assert.equal(await owner.locator('form[action$="/deactivate"]').count(), 0);
  assert.equal(await owner.locator('form[action$="/reactivate"]').count(), 1);
});

test('a program gets a key, which is revoked', async () => {
  await nav(owner, '/c/tehran/api-keys');
  await proved('/api-keys', async () => {
    await write(owner, 'name', 'گزارش هفتگی');
    await choose(owner, 'days', '30');
  });
  assert.match(await owner.inputValue('#secret-link'), /^mk_/);
  await submit(owner, '/revoke');
  assert.equal(await owner.locator('#secret-link').count(), 0);
  assert.equal(await owner.locator('tr.is-off').count(), 1);
  assert.equal(await owner.locator('form[action$="/revoke"]').count(), 0);
});

test('a recovery code opens a session on a telephone', async () => {
  await follow(owner, '.sidebar a.me');
  await follow(owner, '.tabs a[href="/account/factors"]');
  ({ codes } = await addFactor(owner));
  assert.equal(codes.length, 10);
  await open(mobile, '/login');
  await logIn(mobile, PASSWORD);
});

test('the page of proofs refuses what is wrong and leads on where one wanted to go', async () => {
  await open(mobile, '/account/prove?next=/account/sessions');
  await write(mobile, 'secret', '000000');
  await submit(mobile, '/account/prove');
  assert.equal(await mobile.locator('.notice-bad').count(), 1);
  await write(mobile, 'secret', codes.pop());
  await submit(mobile, '/account/prove');
  assert.match(mobile.url(), /\/account\/sessions$/);
});

test('the session at the desk is ended from the telephone', async () => {
  assert.equal(await mobile.locator('tbody tr').count(), 2);
  await follow(mobile, 'td form[action$="/end"] button');
  assert.equal(await mobile.locator('tbody tr').count(), 1);
  await open(owner, '/account');
  assert.match(owner.url(), /\/login/);
});

test('whoever forgot the password comes back with a mailed link, a new one and a recovery code', async () => {
  await follow(owner, 'a[href="/recover"]');
  await write(owner, 'email', OWNER.email);
  await submit(owner, '/recover');
  await open(owner, await mailed('recover'));
  await write(owner, 'new_password', NEW);
  await write(owner, 'new_password_again', NEW);
  await follow(owner, 'form[action^="/recover/"] button');
  assert.match(owner.url(), /\/login\?/);
  await logIn(owner, NEW);
  await open(mobile, '/account');
  assert.match(mobile.url(), /\/login/);
});
