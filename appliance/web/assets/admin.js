// People, cameras and enrolment.
import { during, el, fromLocal, iso, onSubmit, say, send, showProblem, t, toast } from './api.js';

const $ = (id) => document.getElementById(id);
const reload = (where) => { location.hash = where; location.reload(); };

onSubmit($('enrol'), async (f) => {
  await send('POST', '/api/v1/enrolment', { code: f.code.value.trim() });
  reload('enrolment');
});

// A dialog asks before what cannot be undone at once.
function sure(question, button) {
  return new Promise((answer) => {
    const d = el('dialog', {}, el('p', {}, question), el('div', { className: 'bar' },
      el('button', { className: 'danger', 'data-testid': 'sure', onclick: () => d.close('yes') }, button),
      el('button', { autofocus: true, onclick: () => d.close('') }, t('admin.no'))));
    d.addEventListener('close', () => { answer(d.returnValue === 'yes'); d.remove(); });
    document.body.append(d);
    d.showModal();
  });
}

const camera = $('camera-form');
const cameraBody = (f) => Object.fromEntries(['id', 'name', 'url', 'sub_url', 'username', 'password'].map((n) => [n, n === 'password' ? f[n].value : f[n].value.trim()]).filter(([, v]) => v !== ''));
$('probe')?.addEventListener('click', () => {
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
});
onSubmit(camera, async (f) => {
  await send('POST', '/api/v1/cameras', cameraBody(f));
  reload('cameras');
});
camera?.elements.name.addEventListener('input', () => { // a name in the system from the name for people
  const id = camera.elements.id;
  if (id.dataset.own) return;
  id.value = camera.elements.name.value.toLowerCase().replace(/æ/g, 'ae').replace(/ø/g, 'oe').replace(/å/g, 'aa')
    .normalize('NFD').replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 31);
});
camera?.elements.id.addEventListener('input', () => { camera.elements.id.dataset.own = '1'; });

for (const b of document.querySelectorAll('[data-remove-camera]')) {
  b.addEventListener('click', async () => {
    if (!(await sure(t('admin.suremove', b.dataset.name), t('admin.remove')))) return;
    during(b, camera.querySelector('.problems'), async () => {
      await send('DELETE', `/api/v1/cameras/${b.dataset.removeCamera}`);
      reload('cameras');
    });
  });
}

function secret(person) {
  const box = $('secret');
  box.hidden = false;
  box.replaceChildren(el('p', {}, t('admin.secret', person.name)),
    el('p', { className: 'password' }, el('span', {}, `${t('login.login')}: `), el('code', { 'data-testid': 'new-login' }, person.login)),
    el('p', { className: 'password' }, el('span', {}, `${t('login.password')}: `), el('code', { 'data-testid': 'generated-password' }, person.password)),
    el('div', { className: 'bar' }, el('button', { type: 'button', 'data-testid': 'secret-done', onclick: () => reload('people') }, t('admin.secretdone'))));
  box.scrollIntoView({ block: 'center' });
}

const person = $('person-form');
function roles() {
  const on = person.querySelector('[data-testid=role-assessor]')?.checked ?? false;
  $('qualification').hidden = $('qualification').disabled = !on;
}
if (person) {
  roles();
  person.addEventListener('change', roles);
}
onSubmit(person, async (f) => {
  const chosen = (name) => [...person.querySelectorAll(`[name=${name}]:checked`)].map((x) => x.value);
  const until = iso(fromLocal(`${f.until.value}T12:00:00`));
  const body = { login: f.login.value.trim(), name: f.name.value.trim(), roles: chosen('roles'), function: f.function.value.trim(), need: f.need.value.trim(), until };
  if (body.roles.includes('assessor')) {
    body.qualification = { education: f.education.value.trim(), experience: f.experience.value.trim(), competences: chosen('competences'), from: iso(new Date()), to: until };
  }
  const made = await send('POST', '/api/v1/people', body);
  person.closest('details').open = false;
  person.reset();
  roles();
  secret(made);
});

for (const edit of document.querySelectorAll('form[data-edit]')) {
  onSubmit(edit, async (f) => {
    const v = (n) => f[n].value.trim();
    await send('PATCH', `/api/v1/people/${edit.dataset.edit}`, { name: v('name'), function: v('function'), need: v('need'), until: iso(fromLocal(`${f.until.value}T12:00:00`)) });
    reload('people');
  });
}

const problems = person?.querySelector('.problems');
const act = (selector, work) => {
  for (const b of document.querySelectorAll(selector)) {
    b.addEventListener('click', () => work(b).catch((e) => { person.closest('details').open = true; showProblem(problems, e); }));
  }
};
act('[data-reset]', async (b) => {
  if (await sure(t('admin.surereset', b.dataset.name), t('admin.reset'))) secret(await send('POST', `/api/v1/people/${b.dataset.reset}/password`));
});
act('[data-close]', async (b) => {
  if (!(await sure(t('admin.sureclose', b.dataset.name), t('admin.close')))) return;
  await send('PATCH', `/api/v1/people/${b.dataset.close}`, { active: false });
  reload('people');
});
act('[data-reopen]', async (b) => {
  await send('PATCH', `/api/v1/people/${b.dataset.reopen}`, { active: true });
  toast(t('admin.reopened'));
  reload('people');
});
