// Live updates. The server says "something changed in this conversation"; the parts of the page
// that are marked `data-live` are then fetched again and announced: at once while little happens, every
// few seconds in a rush, so that an open page never asks more often than the server allows one client.
const numbers = new Intl.NumberFormat(document.documentElement.lang);
const source = () => document.querySelector('[data-live-source]');

let paused = false;
let held = 0;
let timer = null;
// In milliseconds: the least time between two refreshes, and the time after which the page, having used up its
// first few, may have one more. A refresh is up to two requests, of the hundred a minute that one client has.
const gap = 250;
const again = 2500;
const most = 8;
let left = most;
let last = 0;
let counted = Date.now();
let changed = new Set();

const fill = (template, count) => template.replace('{n}', numbers.format(count));

function say(state) {
  const live = source();
  if (!live) return;
  const text = live.querySelector('[data-live-text]');
  live.dataset.state = state;
  text.textContent = held > 0 && paused ? fill(live.dataset.held, held) : text.dataset[state];
}

/** What is on the page now: waiting conversations with their last moment, incoming messages. */
function picture() {
  const rows = new Map();
  for (const row of document.querySelectorAll('[data-ticket][data-waiting]')) rows.set(row.dataset.ticket, row.dataset.at);
  const open = document.getElementById('messages')?.dataset.open;
  const messages = new Set([...document.querySelectorAll('#messages [data-incoming]')].map((bubble) => bubble.id));
  return { rows, open, messages };
}

function news(before, after) {
  let count = 0;
  if (before.open === after.open) for (const id of after.messages) if (!before.messages.has(id)) count += 1;
  for (const [ticket, at] of after.rows) {
    if (ticket !== after.open && before.rows.get(ticket) !== at) count += 1;
  }
  return count;
}

function nearEnd(log) {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 80;
}

function showUnread() {
  const known = document.querySelector('[data-unread-source]')?.dataset.unreadSource
    ?? document.querySelector('[data-unread-count]')?.dataset.unreadCount;
  if (known === undefined) return;
  for (const badge of document.querySelectorAll('[data-unread]')) {
    badge.hidden = known === '0';
    (badge.querySelector('[data-unread-number]') ?? badge).textContent = numbers.format(Number(known));
  }
}

/** Takes one refresh off what is left, and says in how many milliseconds it may begin. */
function wait() {
  const now = Date.now();
  left = Math.min(most, left + (now - counted) / again) - 1;
  counted = now;
  return Math.max(0, last + gap - now, -left * again);
}

async function refresh() {
  timer = null;
  last = Date.now();
  const tickets = changed;
  changed = new Set();
  const before = picture();
  const log = document.getElementById('messages');
  const stick = log && nearEnd(log);
  const parts = [...document.querySelectorAll('[data-live]')]
    .filter((part) => part.id !== 'messages' || tickets.has('*') || tickets.has(part.dataset.open));
  let waiting = parts.length;
  if (!waiting) return;
  const done = (event) => {
    if (!parts.includes(event.detail?.ctx?.sourceElement) && !parts.some((part) => part.id === event.target?.id)) return;
    waiting -= 1;
    if (waiting > 0) return;
    document.removeEventListener('htmx:finally:request', done);
    showUnread();
    const now = document.getElementById('messages');
    if (now && stick) now.scrollTop = now.scrollHeight;
    const count = news(before, picture());
    const live = source();
    if (count > 0 && live) {
      const region = live.querySelector('[data-live-region]');
      // Emptied first, so that the same words twice are read twice.
      region.textContent = '';
      setTimeout(() => { region.textContent = count === 1 ? live.dataset.one : fill(live.dataset.many, count); }, 50);
    }
  };
  document.addEventListener('htmx:finally:request', done);
  for (const part of parts) part.dispatchEvent(new CustomEvent('meydan:refresh'));
}

function soon(ticket) {
  changed.add(ticket);
  if (paused) {
    held += 1;
    say('off');
    return;
  }
  timer ??= setTimeout(refresh, wait());
}

function toggle(button) {
  paused = !paused;
  button.setAttribute('aria-pressed', String(paused));
  button.title = paused ? button.dataset.resume : button.dataset.pause;
  if (!paused) {
    held = 0;
    if (changed.size) soon([...changed][0]);
  }
  say(paused ? 'off' : 'on');
}

function prepare() {
  const button = document.querySelector('[data-live-toggle]');
  if (button) button.hidden = false;
}

export function startLive() {
  prepare();
  const log = document.getElementById('messages');
  if (log) log.scrollTop = log.scrollHeight;
  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-live-toggle]');
    if (button) toggle(button);
  });
  document.addEventListener('ticket', (event) => {
    try {
      soon(String(JSON.parse(event.detail.data).ticket ?? '*'));
    } catch {
      soon('*');
    }
  });
  // A part that could not be fetched is behind: it is asked for again when the server may have caught its breath.
  document.addEventListener('meydan:behind', () => {
    changed.add('*');
    if (!paused) timer ??= setTimeout(refresh, 15_000);
  });
  document.addEventListener('htmx:sse:error', () => say(paused ? 'off' : 'lost'));
  let connected = 0;
  document.addEventListener('htmx:sse:after:connection', () => {
    say(paused ? 'off' : 'on');
    // After a gap the page may have missed something that the server no longer repeats.
    if (connected > 0) soon('*');
    connected += 1;
  });
  document.addEventListener('htmx:after:swap', prepare);
}
