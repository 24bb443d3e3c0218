// What people do on the pages of one-time links, wherever a browser needs somebody who is logged in.
import { execFileSync } from 'node:child_process';

export const PASSWORD = 'a rather long pass phrase 7';

// Presses a button, and waits for the page that it leads to.
export async function send(page, selector) {
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.click(selector)]);
}

// On the page of the first admin's link: makes the account, adds the authenticator that admins need, and is
// logged in. Returns the authenticator's secret.
export async function becomeFirstAdmin(page) {
  await page.fill('input[name=display_name]', 'مدیر سامانه');
  await page.fill('input[name=email]', 'admin@meydan.example');
  await acceptInvitation(page);
  const secret = await enrol(page);
  await page.goto(new URL('/admin/campaigns', page.url()).href);
  return secret;
}

// On the page of second factors: adds an authenticator; its secret.
export async function enrol(page, onPage = async () => {}) {
  await page.fill('input[name=name]', 'تلفن همراه');
  await send(page, 'form[action="/account/factors"] button[type=submit]');
  await onPage(page);
  const secret = await page.inputValue('input[name=secret]');
  await page.fill('input[name=code]', codeOf(secret));
  await send(page, 'form[action$="/confirm"] button[type=submit]');
  await onPage(page);
  return secret;
}

// The code that the authenticator shows now, or some seconds from now; oathtool is the authenticator.
export const codeOf = (secret, later = 0) =>
  execFileSync('oathtool', ['--totp', '--base32', `--now=@${Math.floor(Date.now() / 1000) + later}`, secret]).toString().trim();

// On the page of an invitation: chooses a password, and is logged in.
export async function acceptInvitation(page) {
  await page.fill('input[name=password]', PASSWORD);
  await page.fill('input[name=password_again]', PASSWORD);
  await send(page, 'form[action^="/welcome"] button[type=submit]');
}
