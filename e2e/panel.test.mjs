// The first ten minutes of a new user, in a real browser: from the one-time link to the citizen's answer.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { acceptInvitation, becomeFirstAdmin, send } from './people.mjs';
import { screenshot, startBrowser, startPlatform, violations } from './platform.mjs';
import { startTelegram } from './telegram.mjs';

const TOKEN = '123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1';
const INBOX = '/c/tehran/inbox';
let telegram; let platform; let browser; let admin; let owner;

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
async function sound(page) {
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(page.wrong, []);
}

test('the one-time link makes the first admin', async () => {
  await open(admin, platform.firstLink);
  await sound(admin);
  await screenshot(admin, 'welcome-fa');
  await becomeFirstAdmin(admin);
  assert.match(admin.url(), /\/admin\/campaigns$/);
  await sound(admin);
});

test('an admin creates a campaign and its owner comes in by a link shown once', async () => {
  await open(admin, '/admin/campaigns/new');
  await sound(admin);
  const fields = { candidate_name: 'نرگس زاینده‌فر', slug: 'tehran', office: 'شورای شهر', constituency: 'تهران', owner_name: 'نرگس زاینده‌فر', owner_email: 'narges@meydan.example' };
  for (const [name, value] of Object.entries(fields)) await admin.fill(`input[name=${name}]`, value);
  await send(admin, 'form[action="/admin/campaigns"] button[type=submit]');
  await sound(admin);
  const link = await admin.inputValue('#secret-link');
  await open(owner, link);
  await sound(owner);
  await acceptInvitation(owner);
  assert.match(owner.url(), /\/c\/tehran$/);
  await sound(owner);
  await open(admin, '/admin/campaigns');
  await sound(admin);
  await screenshot(admin, 'campaigns-fa');
});

test('a pasted token turns the bot from connecting to live without a reload', async () => {
  await open(admin, '/admin/campaigns/tehran');
  await admin.fill('input[name=token]', 'no token');
  await send(admin, 'form[action$="/bot"] button[type=submit]');
  assert.equal(await admin.locator('[aria-invalid=true]').count(), 1);
  await admin.fill('input[name=token]', TOKEN);
  await send(admin, 'form[action$="/bot"] button[type=submit]');
  await admin.waitForSelector('.bot-state.tone-good', { timeout: 15000 });
  await sound(admin);
  await screenshot(admin, 'campaign-bot-live-fa');
});

test('a citizen\'s message comes to the open inbox without a reload', async () => {
  telegram.say(4200000001, 'زهرا', 'سلام، آسفالت کوچهٔ ما سه ماه است خراب است');
  await open(owner, INBOX);
  await owner.waitForSelector('a.ticket');
  const times = [];
  for (let n = 0; n < 5; n += 1) {
    const words = `پیشنهاد شمارهٔ ${n} برای فضای سبز محله`;
    const began = Date.now();
    telegram.say(4200000010 + n, 'علی', words);
    await owner.waitForFunction((text) => document.querySelector('#ticket-list')?.textContent.includes(text), words);
    times.push(Date.now() - began);
  }
  times.sort((one, two) => one - two);
  console.log(`message to open inbox: median ${times[2]} ms, longest ${times[4]} ms`);
  await sound(owner);
  await screenshot(owner, 'inbox-fa');
  await screenshot(owner, 'inbox-fa-390', 390, 844);
});

test('an answer is seen on its way from queued to sent without a reload', async () => {
  await open(owner, `${INBOX}/1001`);
  await sound(owner);
  await owner.fill('textarea[name=text]', 'سلام زهرا خانم، موضوع را پیگیری می‌کنیم.');
  await owner.press('textarea[name=text]', 'Control+Enter');
  await owner.waitForSelector('.delivery.is-sent', { timeout: 15000 });
  assert.equal(telegram.sent.at(-1).text, 'سلام زهرا خانم، موضوع را پیگیری می‌کنیم.');
  await sound(owner);
  await screenshot(owner, 'conversation-fa');
  await screenshot(owner, 'conversation-fa-390', 390, 844);
});

test('home shows true numbers, in both languages, light and dark', async () => {
  await open(owner, '/c/tehran');
  await sound(owner);
  await screenshot(owner, 'home-fa');
  await screenshot(owner, 'home-fa-390', 390, 844);
  await send(owner, '.sidebar button[name=theme][value=dark]');
  await sound(owner);
  await screenshot(owner, 'home-fa-dark');
  await send(owner, '.sidebar button[name=locale][value=en]');
  assert.equal(await owner.getAttribute('html', 'dir'), 'ltr');
  await sound(owner);
  await open(owner, INBOX);
  await sound(owner);
  await screenshot(owner, 'inbox-en');
  await send(owner, '.sidebar button[name=theme][value=light]');
  await send(owner, '.sidebar button[name=locale][value=fa]');
});

test('every other page is sound, those of refusals too', async () => {
  for (const path of ['/c/tehran/team', '/account', '/admin', '/c/nowhere', '/nowhere', '/welcome/used', `${INBOX}?status=undelivered`]) {
    await open(owner, path);
    await sound(owner);
  }
  await open(admin, '/admin/campaigns/tehran/edit');
  await sound(admin);
});

test('without scripts one reads and answers', async () => {
  const cookies = await owner.context().storageState();
  const plain = await browser.person({ javaScriptEnabled: false, storageState: cookies });
  await open(plain, `${INBOX}/1002`);
  await plain.fill('textarea[name=text]', 'سپاس از پیشنهاد شما.');
  await send(plain, 'form.reply button[type=submit]');
  assert.match(plain.url(), /inbox\/1002/);
  assert.ok((await plain.textContent('#messages')).includes('سپاس از پیشنهاد شما.'));
});

test('a stream that cannot be opened at first is opened later, and shows what came meanwhile', async () => {
  const tab = await owner.context().newPage();
  let asked = 0;
  await tab.route('**/live?*', (route) => {
    asked += 1;
    return asked === 1 ? route.fulfill({ status: 503, headers: { 'retry-after': '1' } }) : route.continue();
  });
  await open(tab, INBOX);
  await tab.waitForSelector('#live[data-state=lost]');
  const words = 'در این میان آمد';
  telegram.say(4200000030, 'مینا', words);
  await tab.waitForSelector('#live[data-state=on]');
  await tab.waitForFunction((text) => document.querySelector('#ticket-list')?.textContent.includes(text), words);
  assert.equal(asked, 2);
  await tab.close();
});

test('a wrong password is refused and logging out ends the session', async () => {
  const stranger = await browser.person();
  await open(stranger, '/login');
  await sound(stranger);
  await screenshot(stranger, 'login-fa');
  await stranger.fill('input[name=email]', 'narges@meydan.example');
  await stranger.fill('input[name=password]', 'not the password at all');
  await send(stranger, 'form[action="/login"] button[type=submit]');
  await sound(stranger);
  const tab = await owner.context().newPage();
  await open(tab, INBOX);
  await tab.waitForSelector('#live[data-state=on]');
  await open(owner, '/c/tehran');
  await send(owner, '.sidebar form[action="/logout"] button');
  await open(owner, '/c/tehran');
  assert.match(owner.url(), /\/login/);
  // The other page finds out by itself.
  await tab.waitForURL(/\/login\?notice=session-ended&next=%2Fc%2Ftehran%2Finbox/, { timeout: 40000 });
});
