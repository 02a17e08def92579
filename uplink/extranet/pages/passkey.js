// Passkeys in the browser: the extranet's question in, the answer out, as JSON.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const listed = (all) => all?.map((c) => ({ ...c, id: bytes(c.id) }));

async function send(path, body = {}) {
  const r = await fetch(`/api/v1/${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  const answer = await r.json();
  if (r.ok) return answer;
  const en = document.documentElement.lang === 'en';
  const say = (t) => (t && typeof t === 'object' ? t[en ? 'en' : 'da'] : t);
  throw new Error([say(answer.cause), say(answer.remedy)].filter(Boolean).join(' '), { cause: 'told' });
}

function plain(c) {
  const response = {};
  for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
    if (c.response[name]) response[name] = text(c.response[name]);
  }
  return { id: c.id, rawId: text(c.rawId), type: c.type, clientExtensionResults: c.getClientExtensionResults(), response };
}

async function use(path) {
  const q = await send(`${path}/options`);
  const o = q.options;
  const c = await navigator.credentials.get({ publicKey: { ...o, challenge: bytes(o.challenge), allowCredentials: listed(o.allowCredentials) } });
  await send(path, { ceremony: q.id, response: plain(c) });
}

async function make(name) {
  const q = await send('passkeys/options');
  const o = q.options;
  const c = await navigator.credentials.create({ publicKey: { ...o, challenge: bytes(o.challenge), user: { ...o.user, id: bytes(o.user.id) }, excludeCredentials: listed(o.excludeCredentials) } });
  await send('passkeys', { ceremony: q.id, name, response: plain(c) });
}

async function run(button, work, done) {
  const line = document.querySelector('[data-failed]');
  const usual = (line.dataset.usual ??= line.textContent);
  line.hidden = true;
  button.disabled = true;
  try {
    await work();
    done();
  } catch (e) {
    line.textContent = e.cause === 'told' && e.message ? e.message : usual;
    line.hidden = false;
  } finally {
    button.disabled = false;
  }
}

for (const button of document.querySelectorAll('[data-passkey]')) {
  const path = button.dataset.passkey;
  button.addEventListener('click', () => run(button, () => use(path), () => {
    const again = document.querySelector('[data-again]');
    const back = document.querySelector('[data-back]');
    if (again) again.submit();
    else if (back) location.assign(back.href);
    else if (path === 'proof') location.reload();
    else location.assign('/');
  }));
}

document.querySelector('[data-make]')?.addEventListener('submit', (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  run(form.querySelector('button'), () => make(form.elements.name.value), () => location.reload());
});
