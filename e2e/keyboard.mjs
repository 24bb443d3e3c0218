// The keyboard alone: what Tab reaches on a page and how that looks, and the hands of somebody who has no mouse.
import assert from 'node:assert/strict';
import { codeOf, PASSWORD } from './people.mjs';

const TAB = { key: 'Tab', code: 'Tab', windowsVirtualKeyCode: 9 };
const SHIFT = 8;

// What is wrong for the keyboard on a page as it stands: controls that Tab does not reach, or out of order, or that look
// the same with the focus, or stand where nobody sees them; and focus that cannot leave. Forwards with all that can be
// opened open, and back again with all of it closed.
export async function unreachable(page) {
  const devtools = await page.context().newCDPSession(page);
  // The keys go out together; waiting for each would take most of the time.
  const press = (times, modifiers) => Promise.all(Array.from({ length: times }, () => ['rawKeyDown', 'keyUp']).flat()
    .map((type) => devtools.send('Input.dispatchKeyEvent', { type, modifiers, ...TAB })));
  const walk = async (modifiers) => {
    const wanted = await page.evaluate(prepare, modifiers === SHIFT);
    await press(wanted + 1, modifiers);
    // Players have stops within.
    for (let more = 0; more < 60 && !(await page.evaluate(left)); more += 1) await press(1, modifiers);
    return page.evaluate(verdict, modifiers === SHIFT);
  };
  const found = [...await walk(0), ...await walk(SHIFT)];
  await devtools.detach();
  await page.focus('.skip');
  await page.keyboard.press('Enter');
  if (!(await page.evaluate(pastNavigation))) found.push('the way past the navigation does not lead to the heading');
  return found;
}

// In the page: which controls there are, how they look without the focus, and a notebook of where the focus goes.
// The notes are made when the key is let go, for by then the page has been scrolled to what has the focus. A post before
// everything and one behind it are where the walk begins and ends, so that the browser's own controls have no part in it.
function prepare(backwards) {
  const posts = ['prepend', 'append'].map((where) => {
    const post = document.createElement('span');
    post.tabIndex = 0;
    Object.assign(post.style, { position: 'fixed', inset: '0 auto auto 0', pointerEvents: 'none', outline: 'none' });
    document.body[where](post);
    return post;
  });
  const [start, goal] = backwards ? posts.toReversed() : posts;
  start.focus();
  const opened = backwards ? [] : [...document.querySelectorAll('details:not([open])')];
  for (const details of opened) details.open = true;
  if (!backwards) window.scrollTo({ top: 0, behavior: 'instant' });
  const looks = ['outlineStyle', 'outlineWidth', 'outlineColor', 'boxShadow', 'borderTopColor', 'borderTopWidth', 'borderTopStyle'];
  const look = (element) => {
    for (const change of element.getAnimations()) if (change instanceof CSSTransition) change.finish();
    const style = getComputedStyle(element);
    return Object.fromEntries(looks.map((name) => [name, style[name]]));
  };
  const visible = (element) => {
    const box = element.getBoundingClientRect();
    return element.checkVisibility({ checkVisibilityCSS: true }) && box.width > 1 && box.height > 1;
  };
  // The radios of a group are one stop.
  const stop = (element) => (element.type !== 'radio' ? element
    : [...document.querySelectorAll(`input[type=radio][name="${element.name}"]`)].find((one) => one.form === element.form));
  const controls = 'a[href], button, input:not([type=hidden]), select, textarea, summary, audio[controls], video[controls], [tabindex="0"]';
  const all = [...document.querySelectorAll(controls)].filter((element) => visible(element) && !element.matches(':disabled') && !posts.includes(element));

  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const colours = new Map();
  const colour = (text) => {
    if (!colours.has(text)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = text;
      canvas.fillRect(0, 0, 1, 1);
      colours.set(text, [...canvas.getImageData(0, 0, 1, 1).data]);
    }
    return colours.get(text);
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((part, at) => (part * a + under[at] * (255 - a)) / 255);
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      layers.push(colour(getComputedStyle(at).backgroundColor));
      if (layers.at(-1)[3] === 255) break;
    }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const light = (parts) => parts.map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const contrast = (one, other) => {
    const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };

  // What is wrong with how a control looks that has the focus.
  const problems = (element, before) => {
    const wrong = [];
    const now = look(element);
    const [width, offset] = [parseFloat(now.outlineWidth), parseFloat(getComputedStyle(element).outlineOffset)];
    const box = element.getBoundingClientRect();
    if (now.outlineStyle !== 'none' && width > 0) {
      const under = ground(offset < 0 ? element : element.parentElement);
      const ratio = contrast(over(colour(now.outlineColor), under), under);
      if (ratio < 3) wrong.push(`its ring has a contrast of ${ratio.toFixed(1)} only`);
      const grown = offset + width;
      const ring = { top: box.top - grown, bottom: box.bottom + grown, left: box.left - grown, right: box.right + grown };
      for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) {
        const style = getComputedStyle(at);
        const hole = at.getBoundingClientRect();
        const cutAcross = style.overflowY !== 'visible' && box.height < hole.height - 2 * grown && (ring.top < hole.top - 1 || ring.bottom > hole.bottom + 1);
        const cutAlong = style.overflowX !== 'visible' && box.width < hole.width - 2 * grown && (ring.left < hole.left - 1 || ring.right > hole.right + 1);
        if (cutAcross || cutAlong) wrong.push(`its ring is cut by <${at.tagName.toLowerCase()} class="${at.className}">`);
        if (style.position === 'fixed') break;
      }
    } else if (before && now.boxShadow === before.boxShadow
      && now.borderTopColor === before.borderTopColor && now.borderTopWidth === before.borderTopWidth) wrong.push('nothing shows that it has the focus');
    const [wide, high] = [document.documentElement.clientWidth, window.innerHeight];
    // Of an area for text the browser shows the line that is written.
    const large = box.height > high || box.width > wide || element.matches('textarea');
    if (!large && (box.top < -2 || box.left < -2 || box.bottom > high + 2 || box.right > wide + 2)) wrong.push('it is outside of the window');
    const [left, right] = [Math.max(box.left, 0), Math.min(box.right, wide)];
    const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, high)];
    const points = [[left + 3, top + 3], [right - 3, top + 3], [(left + right) / 2, (top + bottom) / 2], [left + 3, bottom - 3], [right - 3, bottom - 3]];
    for (const [x, y] of points) {
      const hit = document.elementFromPoint(x, y);
      if (hit && !element.contains(hit) && !hit.contains(element) && !hit.closest('.toasts')) {
        wrong.push(`<${hit.tagName.toLowerCase()} class="${hit.className}"> lies over it`);
        break;
      }
    }
    return wrong;
  };

  const before = new Map(all.map((element) => [element, look(element)]));
  const notes = { wanted: [...new Set(all.map(stop))], reached: [], looks: [], left: false, name: (element) => element.outerHTML.replace(/\s+/g, ' ').slice(0, 160) };
  const note = ({ key, target }) => {
    if (key !== 'Tab' || notes.left) return;
    notes.left = target === goal;
    const one = stop(target);
    if (notes.left || notes.reached.at(-1) === one) return;
    notes.reached.push(one);
    notes.looks.push(...problems(target, before.get(target)).map((problem) => `${problem}: ${notes.name(target)}`));
  };
  const stay = (event) => notes.left && event.preventDefault();
  document.addEventListener('keydown', stay, true);
  document.addEventListener('keyup', note, true);
  notes.end = () => {
    document.removeEventListener('keydown', stay, true);
    document.removeEventListener('keyup', note, true);
    for (const post of posts) post.remove();
    for (const details of opened) details.open = false;
  };
  globalThis.keyboardNotes = notes;
  return notes.wanted.length;
}

// In the page: whether the focus is at the text of the page, whose heading can be seen.
function pastNavigation() {
  const main = document.getElementById('main');
  const box = main.querySelector('h1')?.getBoundingClientRect() ?? main.getBoundingClientRect();
  return document.activeElement === main && main.contains(document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2));
}

const left = () => globalThis.keyboardNotes.left;

// In the page: what the notes say, once the keys have been pressed.
function verdict(backwards) {
  const { wanted, reached, looks, left: gone, name, end } = globalThis.keyboardNotes;
  end();
  const way = backwards ? 'Shift+Tab' : 'Tab';
  const found = looks.map((problem) => `${way}: ${problem}`);
  for (const element of wanted) if (!reached.includes(element)) found.push(`${way} does not reach ${name(element)}`);
  const after = backwards ? Node.DOCUMENT_POSITION_PRECEDING : Node.DOCUMENT_POSITION_FOLLOWING;
  reached.forEach((element, at) => {
    if (at > 0 && !(reached[at - 1].compareDocumentPosition(element) & after)) found.push(`${way} comes out of order to ${name(element)}`);
  });
  if (!gone) found.push(`${way} never leaves the page`);
  if (!backwards && !reached[0]?.matches('.skip')) found.push('the first stop is not the way past the navigation');
  return found;
}

// Presses Tab until the focus is at a control, as somebody does who sees the page and has no mouse.
export async function reach(page, selector, text = '') {
  for (let pressed = 0; pressed < 200; pressed += 1) {
    const there = await page.evaluate(([what, words]) => {
      const element = document.activeElement;
      return Boolean(element?.matches(what) && element.textContent.includes(words));
    }, [selector, text]);
    if (there) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab does not reach ${selector} ${text} at ${page.url()}`);
}

// Writes into a field, in place of what it holds.
export async function write(page, name, words) {
  await reach(page, `[name="${name}"]`);
  await page.keyboard.press('Control+a');
  await page.keyboard.type(words);
}

// Chooses in a list with the arrows, by its value or by what is shown.
export async function choose(page, name, choice) {
  await reach(page, `select[name="${name}"]`);
  await page.keyboard.press('Home');
  for (let pressed = 0; pressed < 100; pressed += 1) {
    const chosen = await page.evaluate(() => [document.activeElement.value, document.activeElement.selectedOptions[0].text]);
    if (chosen.includes(choice)) return;
    await page.keyboard.press('ArrowDown');
  }
  assert.fail(`the arrows do not reach ${choice} of ${name}`);
}

// Follows a link or presses a button, and waits for the page that it leads to. Whatever is asked before is agreed to.
export async function follow(page, selector, text = '') {
  await reach(page, selector, text);
  const agree = (dialog) => dialog.accept();
  page.on('dialog', agree);
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.keyboard.press('Enter')]);
  page.off('dialog', agree);
}

// Follows a link of the navigation.
export const nav = (page, path) => follow(page, `.nav-main a[href="${path}"]`);

// Sends the form whose address ends so.
export const submit = (page, action) => follow(page, `form[action$="${action}"] button[type=submit]`);

// Chooses one of a group of radios with the arrows.
export async function pick(page, name, value) {
  await reach(page, `input[type=radio][name="${name}"]`);
  for (let pressed = 0; pressed < 20; pressed += 1) {
    if (await page.evaluate((wanted) => document.activeElement.value === wanted && document.activeElement.checked, value)) return;
    await page.keyboard.press('ArrowDown');
  }
  assert.fail(`the arrows do not reach ${value} of ${name}`);
}

// Ticks a box, or takes the tick away.
export async function tick(page, name, value) {
  await reach(page, `input[type=checkbox][name="${name}"][value="${value}"]`);
  await page.keyboard.press('Space');
}

// Fills in and sends a form that asks for a proof first where the last one is five minutes old, as it is on a slow machine.
export async function proving(page, action, secret, fill = async () => {}) {
  await fill();
  await submit(page, action);
  if (!page.url().includes('/account/prove')) return;
  await write(page, 'secret', secret());
  await submit(page, '/account/prove');
  await fill();
  await submit(page, action);
}

// On the page of an invitation: chooses a password, and is logged in.
export async function newPassword(page) {
  await write(page, 'password', PASSWORD);
  await write(page, 'password_again', PASSWORD);
  await follow(page, 'form[action^="/welcome"] button[type=submit]');
}

// On the page of second factors: adds the first authenticator. Its secret, and the codes for when it is lost.
export async function addFactor(page, onPage = async () => {}) {
  await proving(page, '/account/factors', () => PASSWORD, () => write(page, 'name', 'تلفن همراه'));
  await onPage(page);
  const secret = await page.inputValue('input[name=secret]');
  await write(page, 'code', codeOf(secret));
  await submit(page, '/confirm');
  await onPage(page);
  const codes = await page.locator('#codes code').allTextContents();
  await follow(page, 'main a[href="/account/factors"]');
  return { secret, codes };
}
