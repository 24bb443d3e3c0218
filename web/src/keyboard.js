// For those who work without a mouse: what has the focus is in sight, the menu closes behind them; and single-key
// shortcuts, by the key's place, so that a Persian layout works as well. They can be switched off on the account page
// and never act while somebody is typing.
const store = 'meydan.keys';
const enabled = () => localStorage.getItem(store) !== 'off';

const typing = (target) => target.closest?.('input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]');

function move(step) {
  const links = [...document.querySelectorAll('.ticket, .rows .row-link')];
  if (!links.length) return false;
  const focused = links.indexOf(document.activeElement);
  const from = focused >= 0 ? focused : links.findIndex((link) => link.getAttribute('aria-current'));
  const to = Math.min(links.length - 1, Math.max(0, from + step));
  links[to].focus();
  return true;
}

function focus(selector) {
  const element = document.querySelector(selector);
  element?.focus();
  return Boolean(element);
}

function act(event) {
  switch (event.code) {
    case 'KeyJ': return move(1);
    case 'KeyK': return move(-1);
    case 'KeyR': return focus('[data-reply-text]');
    case 'Slash':
      if (event.shiftKey) { document.getElementById('help')?.showModal(); return true; }
      return focus('[data-filters] [aria-current]') || focus('[data-filters] a');
    default: return false;
  }
}

/** Browsers leave a control alone that is half out of sight in a row or a list that scrolls. */
function keepInSight({ target }) {
  if (target.tabIndex >= 0 && target.matches(':focus-visible')) target.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

/** The menu lies over the page, so it closes when the focus goes on to the page, and at Escape. */
function closeBehind(menu) {
  menu.addEventListener('focusout', ({ relatedTarget }) => {
    if (relatedTarget && !menu.contains(relatedTarget)) menu.open = false;
  });
  menu.addEventListener('keydown', (event) => {
    if (event.code !== 'Escape' || !menu.open) return;
    menu.open = false;
    menu.querySelector('summary').focus();
  });
}

export function startKeyboard() {
  document.addEventListener('focusin', keepInSight);
  document.querySelectorAll('details[data-menu]').forEach(closeBehind);
  document.addEventListener('keydown', (event) => {
    const field = typing(event.target);
    if (field) {
      if (event.code === 'Enter' && (event.ctrlKey || event.metaKey) && field.matches('[data-reply-text]')) {
        event.preventDefault();
        field.form.requestSubmit();
      } else if (event.code === 'Escape') field.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !enabled()) return;
    if (document.querySelector('dialog[open]')) return;
    if (act(event)) event.preventDefault();
  });
  for (const button of document.querySelectorAll('[data-help]')) {
    button.hidden = false;
    button.addEventListener('click', () => document.getElementById('help')?.showModal());
  }
  const box = document.querySelector('[data-keys-switch]');
  if (box) {
    box.disabled = false;
    box.checked = enabled();
    box.addEventListener('change', () => localStorage.setItem(store, box.checked ? 'on' : 'off'));
  }
}
