// Cameras: find them on the network, try them, add them, change them.
import { ask, during, el, onSubmit, say, send, showProblem, sure, t } from './api.js';

const $ = (id) => document.getElementById(id);
const reload = () => { location.hash = 'cameras'; location.reload(); };

const camera = $('camera-form');
const texts = ['id', 'name', 'url', 'sub_url', 'username', 'password', 'transport'];
const value = (f, n) => (n === 'password' ? f[n].value : f[n].value.trim());
const cameraBody = (f) => ({ ...Object.fromEntries(texts.map((n) => [n, value(f, n)]).filter(([, v]) => v !== '')), ...(f.audio.checked && { audio: true }) });
const probe = () => {
  $('probed').replaceChildren(el('p', { className: 'hint' }, t('admin.probing')));
  during($('probe'), camera.querySelector('.problems'), async () => {
    try {
      const d = await send('POST', '/api/v1/cameras/probe', cameraBody(camera.elements));
      $('probed').replaceChildren(el('p', { className: 'good' }, `✓ ${t('admin.found', d.codec, d.width, d.height, Math.round(d.fps * 10) / 10)}`),
        ...(d.warnings ?? []).map((w) => el('p', { className: 'warn' }, say(w))));
    } catch (e) {
      $('probed').replaceChildren();
      throw e;
    }
  });
};
$('probe')?.addEventListener('click', probe);
onSubmit(camera, async (f) => {
  await send('POST', '/api/v1/cameras', cameraBody(f));
  reload();
});

// A name in the system from the name for people.
function named() {
  const id = camera.elements.id;
  if (id.dataset.own) return;
  id.value = camera.elements.name.value.toLowerCase().replace(/æ/g, 'ae').replace(/ø/g, 'oe').replace(/å/g, 'aa')
    .normalize('NFD').replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 31).replace(/-$/, '');
}
camera?.elements.name.addEventListener('input', named);
camera?.elements.id.addEventListener('input', () => { camera.elements.id.dataset.own = '1'; });

const size = (s) => [s.codec, s.width ? `${s.width} × ${s.height}` : '', s.fps ? t('find.fps', Math.round(s.fps)) : ''].filter(Boolean).join(' · ');

// choose fills the form in and tries the camera at once.
function choose(c, login = { username: '', password: '' }) {
  const f = camera.elements;
  $('camera-details').open = true;
  $('chosen').className = 'says';
  $('chosen').textContent = c.url ? t('find.then') : t('find.nostream');
  if (!f.name.value) f.name.value = c.name || [c.manufacturer, c.model].filter(Boolean).join(' ') || c.address;
  named();
  f.url.value = c.url || `rtsp://${c.address}/`;
  f.sub_url.value = c.sub_url ?? '';
  f.username.value = login.username;
  f.password.value = login.password;
  camera.scrollIntoView({ block: 'start' });
  f.name.focus({ preventScroll: true });
  f.name.select();
  if (c.url) probe();
}

// A log-in goes to the one camera that was chosen: whatever else answers on the
// network could guess the password from it.
function logIn(c, i) {
  const field = (name, type, text) => el('label', {}, text, el('input', { name, type, required: true, autocomplete: 'off', autocapitalize: 'none', spellcheck: false, 'data-testid': `look-${name}-${i}` }));
  const form = el('form', { className: 'form', 'data-testid': `look-form-${i}` }, el('p', { className: 'lead' }, t('find.loginlead')),
    el('div', { className: 'fields two' }, field('username', 'text', t('admin.camerauser')), field('password', 'password', t('admin.camerapassword'))),
    el('div', { className: 'problems' }), el('div', { className: 'bar' }, el('button', { className: 'primary', 'data-testid': `look-${i}` }, t('find.ask'))));
  onSubmit(form, async (f) => {
    const login = { username: f.username.value.trim(), password: f.password.value };
    const told = await send('POST', '/api/v1/cameras/look', { address: c.service || c.address, ...login });
    const now = { ...told, name: told.name || c.name, address: c.address };
    form.closest('li').replaceWith(card(now, i, login));
    choose(now, login);
  });
  return form;
}

function card(c, i, login) {
  const what = [c.manufacturer, c.model].filter(Boolean).join(' ');
  const pick = () => {
    if (!c.needs_login || login) { choose(c, login); return; }
    const form = logIn(c, i);
    act.replaceWith(form);
    form.elements.username.focus();
  };
  // One address may hold several cameras, so that a known one can be chosen too.
  const act = el('button', { type: 'button', 'data-testid': `choose-${i}`, onclick: pick }, t('find.choose'));
  return el('li', { className: 'row' }, el('span', { className: 'main' }, c.name || what || c.address),
    c.camera ? el('span', { className: 'chip cam-recording' }, t('find.known')) : null,
    el('span', { className: 'sub' }, [c.address, what, c.firmware && t('find.firmware', c.firmware)].filter(Boolean).join(' · ')),
    ...(c.streams ?? []).map((s) => el('span', { className: 'sub' }, [s.name, size(s)].filter(Boolean).join(': '))),
    c.needs_login ? el('p', { className: 'warn sub' }, t('find.needslogin')) : null,
    ...(c.warnings ?? []).map((w) => el('p', { className: 'warn sub' }, say(w))),
    act);
}

onSubmit($('find'), async () => {
  $('found').replaceChildren();
  $('finding').hidden = false;
  try {
    const list = await send('POST', '/api/v1/cameras/find');
    if (list.length === 0) {
      $('found').replaceChildren(el('div', { className: 'empty', 'data-testid': 'none-found' }, el('p', { className: 'big' }, t('find.none')),
        el('ul', {}, ...[t('find.check1'), t('find.check2'), t('find.check3'), t('find.check4')].map((x) => el('li', {}, x)))));
      return;
    }
    list.sort((a, b) => Boolean(a.camera) - Boolean(b.camera));
    $('found').replaceChildren(el('p', { className: 'q' }, list.length === 1 ? t('find.one') : t('find.some', list.length)),
      el('ul', { className: 'rows plain' }, ...list.map((c, i) => card(c, i))));
  } finally {
    $('finding').hidden = true;
  }
});

for (const form of document.querySelectorAll('form[data-camera]')) {
  onSubmit(form, async (f) => {
    const says = form.querySelector('[data-working]');
    says.hidden = false;
    try {
      const body = Object.fromEntries(['name', 'url', 'sub_url', 'username', 'password', 'transport'].map((n) => [n, value(f, n)]));
      await send('PATCH', `/api/v1/cameras/${form.dataset.camera}`, { ...body, audio: f.audio.checked });
      reload();
    } finally {
      says.hidden = true;
    }
  });
}

// Recording sound needs a yes of its own.
for (const box of document.querySelectorAll('input[name=audio]')) {
  box.addEventListener('change', async () => {
    if (box.checked && !(await sure(t('admin.sureaudio'), t('admin.audioyes')))) box.checked = false;
  });
}

const problemsOf = (b) => b.closest('li').querySelector('.problems.wide');
for (const b of document.querySelectorAll('[data-remove-camera]')) {
  b.addEventListener('click', async () => {
    if (!(await sure(t('admin.suremove', b.dataset.name), t('admin.remove')))) return;
    during(b, problemsOf(b), async () => {
      await ask(`/api/v1/cameras/${b.dataset.removeCamera}`, { method: 'DELETE' });
      reload();
    });
  });
}
for (const b of document.querySelectorAll('[data-look]')) {
  b.addEventListener('click', () => during(b, problemsOf(b), async () => {
    await send('POST', `/api/v1/cameras/${b.dataset.look}/device`);
    reload();
  }));
}
