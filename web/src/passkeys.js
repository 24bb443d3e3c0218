// Passkeys (WebAuthn): asks the server for a challenge, the browser for its answer, and sends that as the form would be
// sent. Forms that need it show themselves only where the browser knows passkeys.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const named = (keys) => (keys ?? []).map((key) => ({ ...key, id: bytes(key.id) }));

async function create(options) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: named(options.excludeCredentials),
    },
  });
  const { attestationObject, clientDataJSON } = made.response;
  return { made, response: { attestationObject: text(attestationObject), clientDataJSON: text(clientDataJSON) } };
}

async function use(options) {
  const made = await navigator.credentials.get({
    publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: named(options.allowCredentials) },
  });
  const { authenticatorData, clientDataJSON, signature, userHandle } = made.response;
  return {
    made,
    response: {
      authenticatorData: text(authenticatorData),
      clientDataJSON: text(clientDataJSON),
      signature: text(signature),
      userHandle: userHandle && text(userHandle),
    },
  };
}

function say(form, words) {
  const place = form.querySelector('[data-passkey-problem]');
  place.lastElementChild.textContent = words;
  place.hidden = !words;
  if (words) place.focus();
}

async function answer(form) {
  // Said once on the page, for every way in.
  const { trusted } = form.elements;
  if (trusted) trusted.value = document.querySelector('[name=trusted]:checked')?.value ?? '';
  const asked = await fetch(`${form.action}/ask`, { method: 'POST', body: new URLSearchParams(new FormData(form)) });
  // Something else comes first: a login, or a proof.
  if (asked.redirected) {
    location.assign(asked.url);
    return;
  }
  const { token, options, problem } = await asked.json();
  if (problem) {
    say(form, problem);
    return;
  }
  const { made, response } = await (form.dataset.passkey === 'create' ? create : use)(options);
  form.elements.token.value = token;
  form.elements.credential.value = JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response });
  form.submit();
}

async function send(form) {
  const button = form.querySelector('[type=submit]');
  button.disabled = true;
  say(form, '');
  try {
    await answer(form);
  } catch (error) {
    const { cancelled, known, failed } = form.dataset;
    say(form, { NotAllowedError: cancelled, InvalidStateError: known }[error.name] ?? failed);
  } finally {
    button.disabled = false;
  }
}

export function startPasskeys() {
  if (!window.PublicKeyCredential) return;
  for (const form of document.querySelectorAll('[data-passkey]')) {
    form.hidden = false;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      send(form);
    });
  }
  for (const words of document.querySelectorAll('[data-passkey-missing]')) words.hidden = true;
}
