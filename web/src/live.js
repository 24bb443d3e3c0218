// Live updates. The server says "something changed in this conversation"; the parts of the page
// that are marked `data-live` are then fetched again, at most four times a second, and announced.
// What cannot be fetched or heard now is tried again, later and later; a session that has ended
// leads to the login.
const numbers = new Intl.NumberFormat(document.documentElement.lang);
const source = () => document.querySelector('[data-live-source]');

let paused = false;
let held = 0;
let timer = null;
let last = 0;
let changed = new Set();
let failures = 0;
let ended = false;

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

/** When to try again, in milliseconds: as the server says, or twice as late each time, up to a minute. */
function pause(response) {
  const said = Number(response?.headers.get('Retry-After')) * 1000;
  failures += 1;
  return Math.max(said || 0, Math.min(500 * 2 ** failures, 60_000) * (0.7 + Math.random() * 0.6));
}

/** The session has ended: nothing is asked any more. Whoever is writing an answer keeps it. */
function end() {
  ended = true;
  say('lost');
  const written = document.querySelector('[data-reply-text]')?.value.trim();
  if (!written) location.assign(`/login?notice=session-ended&next=${encodeURIComponent(location.pathname + location.search)}`);
}

function refresh() {
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
  let failed = null;
  if (!waiting || ended) return;
  const done = (event) => {
    if (!parts.includes(event.detail?.ctx?.sourceElement) && !parts.some((part) => part.id === event.target?.id)) return;
    const { response } = event.detail.ctx ?? {};
    if (!response || response.status >= 400) failed = { response };
    waiting -= 1;
    if (waiting > 0) return;
    document.removeEventListener('htmx:finally:request', done);
    if (failed) {
      for (const ticket of tickets) changed.add(ticket);
      timer ??= setTimeout(refresh, pause(failed.response));
    } else {
      failures = 0;
    }
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
  // The first change shows at once, the following ones four times a second at most.
  timer ??= setTimeout(refresh, Math.max(0, last + 250 - Date.now()));
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

/** The stream. The extension connects again by itself once it was connected, and we before that. */
function connect() {
  document.addEventListener('htmx:sse:after:connection', () => {
    failures = 0;
    say(paused ? 'off' : 'on');
  });
  document.addEventListener('htmx:sse:before:connection', (event) => {
    if (ended) event.preventDefault();
  });
  document.addEventListener('htmx:sse:error', (event) => {
    if (event.detail.status === 401) end();
    else say(paused ? 'off' : 'lost');
  });
  document.addEventListener('htmx:finally:request', (event) => {
    const { ctx } = event.detail;
    if (ended || !ctx.sourceElement?.matches?.('[data-live-source]')) return;
    if (ctx.response?.headers.get('Content-Type')?.includes('text/event-stream')) return;
    say('lost');
    setTimeout(() => ctx.sourceElement.dispatchEvent(new CustomEvent('meydan:connect')), pause(ctx.response));
  });
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
      // Without a ticket anything may have changed.
      soon(String(JSON.parse(event.detail.data).ticket || '*'));
    } catch {
      soon('*');
    }
  });
  connect();
  document.addEventListener('htmx:before:response', (event) => {
    if (event.detail.ctx.response.status === 401) end();
  });
  document.addEventListener('htmx:after:swap', prepare);
}
