// What people do on the pages of one-time links, wherever a browser needs somebody who is logged in.
const PASSWORD = 'a rather long pass phrase 7';

// Presses a button, and waits for the page that it leads to.
export async function send(page, selector) {
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.click(selector)]);
}

// On the page of the first admin's link: makes the account, and is logged in.
export async function becomeFirstAdmin(page) {
  await page.fill('input[name=display_name]', 'مدیر سامانه');
  await page.fill('input[name=email]', 'admin@meydan.example');
  await acceptInvitation(page);
}

// On the page of an invitation: chooses a password, and is logged in.
export async function acceptInvitation(page) {
  await page.fill('input[name=password]', PASSWORD);
  await page.fill('input[name=password_again]', PASSWORD);
  await send(page, 'form[action^="/welcome"] button[type=submit]');
}
