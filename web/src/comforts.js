// Small comforts: toasts, copying, counting characters, focus after a change of page.
const numbers = new Intl.NumberFormat(document.documentElement.lang);

function toast(text) {
  const region = document.getElementById('toasts');
  const note = document.createElement('div');
  note.className = 'toast-note';
  note.textContent = text;
  region.append(note);
  setTimeout(() => note.remove(), 6000);
}

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(field.value);
    toast(document.getElementById('toasts').dataset.copied);
  } catch {
    field.select();
  }
}

function count(text) {
  const form = text.form;
  const place = form.querySelector('[data-reply-count]');
  const long = text.value.length > 3000;
  place.hidden = !long;
  form.querySelector('[data-reply-hint]').hidden = long;
  if (long) {
    place.textContent = place.dataset.template
      .replace('{n}', numbers.format(text.value.length))
      .replace('{max}', numbers.format(4096));
    place.classList.toggle('is-over', text.value.length > 4096);
  }
}

/** On a phone the filters are one row that scrolls: the chosen one must be in sight. */
function showFilter() {
  const row = document.querySelector('[data-filters]');
  const chosen = row?.querySelector('[aria-current]');
  if (!chosen) return;
  const [outer, inner] = [row.getBoundingClientRect(), chosen.getBoundingClientRect()];
  row.scrollLeft += inner.left + inner.width / 2 - (outer.left + outer.width / 2);
}

/** After the panes were exchanged: the heading gets focus, the log shows its end. */
function settle(ctx) {
  const log = document.getElementById('messages');
  if (log) log.scrollTop = log.scrollHeight;
  showFilter();
  if (ctx.sourceElement?.matches?.('[data-reply]') || ctx.request?.form?.matches?.('[data-reply]')) {
    const text = document.querySelector('[data-reply-text]');
    if (text && !text.hasAttribute('aria-invalid')) {
      text.value = '';
      count(text);
    }
    text?.focus();
  } else if (ctx.request?.method === 'GET') {
    const heading = [...document.querySelectorAll('#panes [data-heading]')].find((element) => element.offsetParent);
    heading?.focus({ preventScroll: true });
  }
}

function guardSwaps() {
  const region = document.getElementById('toasts');
  document.addEventListener('htmx:before:swap', (event) => {
    const { ctx, tasks } = event.detail;
    const main = tasks?.find((task) => task.type === 'main');
    if (!ctx.select || !main || main.fragment.childElementCount > 0) return;
    // Another page answered, such as the login: go there rather than show nothing.
    event.preventDefault();
    if (ctx.response.status === 403) toast(region.dataset.refused);
    else if (ctx.response.status >= 400) toast(region.dataset.failed);
    else location.assign(ctx.response.raw.url);
  });
  document.addEventListener('htmx:before:response', (event) => {
    const { ctx } = event.detail;
    const part = ctx.sourceElement?.matches?.('[data-live], #bot-panel');
    // A part that cannot be fetched now stays as it is.
    if (part && (ctx.response.status >= 400 || ctx.response.raw.redirected)) ctx.swap = 'none';
  });
  document.addEventListener('htmx:error', (event) => {
    if (!event.detail.ctx?.sourceElement?.matches?.('[data-live], [data-live-source], #bot-panel')) toast(region.dataset.offline);
  });
  document.addEventListener('htmx:after:swap', (event) => {
    const { ctx } = event.detail;
    if (ctx.select === '#panes') settle(ctx);
  });
}

export function startComforts() {
  for (const button of document.querySelectorAll('[data-copy]')) button.hidden = false;
  document.querySelector('[data-focus]')?.focus();
  showFilter();
  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-copy]');
    if (button) copy(button);
    for (const menu of document.querySelectorAll('details[data-menu][open]')) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener('input', (event) => {
    if (event.target.matches('[data-reply-text]')) count(event.target);
  });
  document.addEventListener('submit', (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
  for (const note of document.querySelectorAll('[data-toast]')) setTimeout(() => note.remove(), 8000);
  guardSwaps();
}
