// A forgotten password, in a real browser, in Persian: from the mailed invitation to the new password and the SMS.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { acceptInvitation, becomeFirstAdmin, send } from './people.mjs';
import { desk, phone, screenshot, startBrowser, startPlatform, violations } from './platform.mjs';
import { startTelegram } from './telegram.mjs';

const ADDRESS = 'narges@meydan.example';
const NEW = 'quite another pass phrase 9';
let telegram; let platform; let browser; let admin; let owner; let link;

before(async () => {
  telegram = await startTelegram();
  platform = await startPlatform(telegram.url);
  browser = await startBrowser();
  admin = await browser.person();
  owner = await browser.person();
});

after(async () => {
  await browser?.stop();
  await platform?.stop();
  telegram?.stop();
});

const open = (page, path) => page.goto(new URL(path, platform.url).href, { waitUntil: 'load' });

// Looks at the page as a person, at a desk and with a phone, in both languages: axe, console, and a picture of each.
async function sound(page, name) {
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(page.wrong, []);
  if (!name) return;
  for (const [width, height] of [desk, phone]) await screenshot(page, `${name}-fa-${width}`, width, height);
}

async function inEnglish(page, path, name) {
  const other = await page.context().newPage();
  other.wrong = [];
  await open(other, path);
  await send(other, 'button[name=locale][value=en]:visible');
  await sound(other);
  for (const [width, height] of [desk, phone]) await screenshot(other, `${name}-en-${width}`, width, height);
  await send(other, 'button[name=locale][value=fa]:visible');
  await other.close();
}

test('the owner comes in by the mailed link, which proves the address', async () => {
  await open(admin, platform.firstLink);
  await becomeFirstAdmin(admin);
  await open(admin, '/admin/campaigns/new');
  const fields = { candidate_name: 'نرگس زاینده‌فر', slug: 'tehran', office: 'شورای شهر', constituency: 'تهران', owner_name: 'نرگس زاینده‌فر', owner_email: ADDRESS };
  for (const [name, value] of Object.entries(fields)) await admin.fill(`input[name=${name}]`, value);
  await send(admin, 'form[action="/admin/campaigns"] button[type=submit]');
  const shown = await admin.inputValue('#secret-link');
  const letter = await platform.letter(ADDRESS);
  assert.match(letter, /Subject: دعوت به ستاد نرگس زاینده‌فر/);
  const mailed = letter.match(/http\S+\/welcome\/\S+/)[0];
  assert.notEqual(mailed, shown);
  await open(owner, mailed);
  await acceptInvitation(owner);
  await open(owner, '/account');
  assert.equal(await owner.locator('.facts .tone-good').count(), 1);
  await sound(owner, 'account');
  await inEnglish(owner, '/account', 'account');
});

test('the admin, whose address nobody has proved, is told so and proves it with a code', async () => {
  await open(admin, '/account');
  await sound(admin, 'account-unproved');
  await send(admin, 'form[action="/account/email/send"] button');
  await sound(admin, 'account-code');
  assert.match(await platform.letter('admin@meydan.example'), /Subject: به حساب شما مرحلهٔ دومی افزوده شد/);
  const code = (await platform.letter('admin@meydan.example', 2)).match(/\b\d{6}\b/)[0];
  await admin.fill('input[name=email_code]', String((Number(code) + 1) % 1000000).padStart(6, '0'));
  await send(admin, 'form[action="/account/email/code"] button');
  assert.equal(await admin.locator('#f-email_code[aria-invalid=true]').count(), 1);
  await admin.fill('input[name=email_code]', code.replace(/\d/g, (digit) => '۰۱۲۳۴۵۶۷۸۹'[digit]));
  await send(admin, 'form[action="/account/email/code"] button');
  assert.equal(await admin.locator('.facts .tone-good').count(), 1);
  await sound(admin);
});

test('whoever forgot the password asks for a link, and every address is answered alike', async () => {
  await send(owner, 'form[action="/logout"]:visible button');
  await send(owner, 'a[href="/recover"]');
  await sound(owner, 'recover');
  await inEnglish(owner, '/recover', 'recover');
  await owner.fill('input[name=email]', 'nobody@meydan.example');
  await send(owner, 'form[action="/recover"] button');
  const unknown = await owner.textContent('main');
  await open(owner, '/recover');
  await owner.fill('input[name=email]', ADDRESS.toUpperCase());
  await send(owner, 'form[action="/recover"] button');
  assert.equal(await owner.textContent('main'), unknown);
  await sound(owner, 'recover-sent');
  const letter = await platform.letter(ADDRESS, 2);
  assert.match(letter, /Subject: گذرواژهٔ تازه برای میدان/);
  [link] = letter.match(/http\S+\/recover\/\S+/);
});

test('the link sets a new password once, and the person logs in with it', async () => {
  await open(owner, link);
  await sound(owner, 'new-password');
  await inEnglish(owner, link, 'new-password');
  await owner.fill('input[name=new_password]', NEW);
  await owner.fill('input[name=new_password_again]', 'something else');
  await send(owner, 'form[action^="/recover/"] button');
  assert.equal(await owner.locator('[aria-invalid=true]').count(), 1);
  await owner.fill('input[name=new_password]', NEW);
  await owner.fill('input[name=new_password_again]', NEW);
  await send(owner, 'form[action^="/recover/"] button');
  assert.match(owner.url(), /\/login\?/);
  await sound(owner, 'login-recovered');
  await owner.fill('input[name=email]', ADDRESS);
  await owner.fill('input[name=password]', NEW);
  await send(owner, 'form[action="/login"] button');
  assert.match(owner.url(), /\/c\/tehran$/);
  assert.match(await platform.letter(ADDRESS, 3), /Subject: گذرواژهٔ تازهٔ شما ثبت شد/);
  const other = await browser.person();
  await open(other, link);
  await sound(other, 'recover-expired');
});

test('a telephone is proved with the code of an SMS', async () => {
  await open(owner, '/account');
  await owner.click('details:has(input[name=phone]) summary');
  await owner.fill('input[name=phone]', '۰۹۱۲۱۲۳۴۵۶۷');
  await send(owner, 'form[action="/account/phone"] button');
  await sound(owner, 'account-phone');
  const [code] = (await platform.letter('+989121234567')).match(/\b\d{6}\b/);
  await owner.fill('input[name=phone_code]', code);
  await send(owner, 'form[action="/account/phone/code"] button');
  assert.equal(await owner.locator('.facts .tone-good').count(), 2);
  await sound(owner);
});
