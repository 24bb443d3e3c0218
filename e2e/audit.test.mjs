// What happened, in a real browser: an owner reads and searches it, follows one request, and saves it; an admin sees more
// and citizens less.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { acceptInvitation, becomeFirstAdmin, send } from './people.mjs';
import { screenshot, startBrowser, startPlatform, violations } from './platform.mjs';
import { startTelegram } from './telegram.mjs';

const TOKEN = '123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1';
const CAMPAIGN = {
  candidate_name: 'نرگس زاینده', slug: 'tehran', office: 'شورای شهر', constituency: 'تهران',
  owner_name: 'نرگس زاینده', owner_email: 'narges@meydan.example',
};
let telegram; let platform; let browser; let admin; let owner;

const open = (page, path) => page.goto(new URL(path, platform.url).href, { waitUntil: 'load' });
async function sound(page) {
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(page.wrong, []);
}
// Opens a page again and again until it says something.
async function until(page, path, words) {
  const ends = Date.now() + 20000;
  do await open(page, path); while (!(await page.textContent('main')).includes(words) && Date.now() < ends);
  assert.ok((await page.textContent('main')).includes(words), words);
}

before(async () => {
  telegram = await startTelegram();
  platform = await startPlatform(telegram.url);
  browser = await startBrowser();
  admin = await browser.person();
  owner = await browser.person();
  await open(admin, platform.firstLink);
  await becomeFirstAdmin(admin);
  await open(admin, '/admin/campaigns/new');
  for (const [name, value] of Object.entries(CAMPAIGN)) await admin.fill(`input[name=${name}]`, value);
  await send(admin, 'form[action="/admin/campaigns"] button[type=submit]');
  await open(owner, await admin.inputValue('#secret-link'));
  await acceptInvitation(owner);
  await open(admin, '/admin/campaigns/tehran');
  await admin.fill('input[name=token]', TOKEN);
  await send(admin, 'form[action$="/bot"] button[type=submit]');
  await admin.waitForSelector('.bot-state.tone-good', { timeout: 15000 });
  telegram.say(4200000001, 'زهرا', 'سلام، آسفالت کوچه خراب است');
  await until(owner, '/c/tehran/inbox', 'زهرا');
  await open(owner, '/c/tehran/inbox/1001');
  await owner.fill('textarea[name=text]', 'پیگیری می‌کنیم.');
  await send(owner, 'form.reply button[type=submit]').catch(() => {});
});

after(async () => {
  await browser?.stop();
  await platform?.stop();
  telegram?.stop();
});

test('the owner reads what happened, and no word of what was said', async () => {
  await until(owner, '/c/tehran/audit', 'ارسال پاسخ');
  const text = await owner.textContent('main');
  for (const words of ['نوشتن پاسخ', 'نرگس زاینده', 'آغاز گفت‌وگو', 'یک شهروند', 'آغاز به کار بات', '۱۴۰۵']) assert.ok(text.includes(words), words);
  for (const secret of ['زهرا', 'آسفالت', '4200000001', 'می‌کنیم']) assert.ok(!text.includes(secret), secret);
  await sound(owner);
  await screenshot(owner, 'audit-fa');
  await screenshot(owner, 'audit-fa-390', 390, 844);
});

test('one request is followed through the contexts', async () => {
  await owner.click('tr:has-text("نوشتن پاسخ") .audit-follow');
  await owner.waitForURL(/correlation=/);
  const rows = await owner.locator('tbody tr').allTextContents();
  for (const words of ['نوشتن پاسخ', 'پذیرفته شدن پاسخ در تلگرام', 'ارسال پاسخ']) assert.ok(rows.some((row) => row.includes(words)), words);
  assert.ok(rows.every((row) => !row.includes('بات پیشین')));
  await sound(owner);
});

test('it is searched by who, what and day, without a script as well', async () => {
  await open(owner, '/c/tehran/audit');
  await owner.selectOption('select[name=action]', 'bot.');
  await owner.selectOption('select[name=who]', 'service');
  await owner.fill('input[name=from]', '۱۴۰۵/۰۱/۰۱');
  await send(owner, '.audit-filter button[type=submit]');
  const rows = await owner.locator('tbody tr').count();
  assert.ok(rows > 0 && rows < 8, String(rows));
  await open(owner, '/c/tehran/audit?from=yesterday');
  assert.equal(await owner.locator('[aria-invalid=true]').count(), 1);
  await open(owner, '/c/tehran/audit?until=1400/01/01');
  assert.equal(await owner.locator('tbody tr').count(), 0);
  await sound(owner);
  await open(owner, '/c/tehran/audit?target=nonsense');
  assert.equal(await owner.locator('#e-target').count(), 1);
});

test('it is saved as a table that Excel reads', async () => {
  await open(owner, '/c/tehran/audit');
  const [download] = await Promise.all([owner.waitForEvent('download'), owner.click('a[href*="/export.csv"]')]);
  const bytes = fs.readFileSync(await download.path());
  assert.deepEqual([...bytes.subarray(0, 3)], [0xef, 0xbb, 0xbf]);
  const lines = bytes.toString('utf8').trim().split('\r\n');
  assert.ok(lines.length > 10);
  assert.ok(lines.some((line) => line.includes('"ticket.reply_written"') && line.includes('"نرگس زاینده"')));
});

test('an admin sees every campaign and the platform, and citizens without ids', async () => {
  await until(admin, '/admin/audit', 'ارسال پاسخ');
  const text = await admin.textContent('main');
  for (const words of ['ساختن ستاد', 'سامانه', 'نرگس زاینده', 'یک شهروند', 'مدیر سامانه']) assert.ok(text.includes(words), words);
  assert.equal(await admin.locator('td a:has-text("یک شهروند")').count(), 0);
  await sound(admin);
  await screenshot(admin, 'admin-audit-fa');
  await screenshot(admin, 'admin-audit-fa-390', 390, 844);
  await send(admin, '.sidebar button[name=locale][value=en]');
  await sound(admin);
  await screenshot(admin, 'admin-audit-en');
  await screenshot(admin, 'admin-audit-en-390', 390, 844);
  await admin.selectOption('select[name=campaign]', { label: 'The platform' });
  await send(admin, '.audit-filter button[type=submit]');
  assert.ok(!(await admin.textContent('main table')).includes('Answer'));
});

test('nobody reads another\'s', async () => {
  await open(owner, '/admin/audit');
  assert.equal(await owner.locator('main table').count(), 0);
  await open(owner, '/c/isfahan/audit');
  assert.equal(await owner.locator('main table').count(), 0);
});
