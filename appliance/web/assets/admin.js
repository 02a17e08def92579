// People and enrolment.
import { el, fromLocal, iso, onSubmit, send, showProblem, sure, t, toast } from './api.js';

const $ = (id) => document.getElementById(id);
const reload = (where) => { location.hash = where; location.reload(); };

onSubmit($('enrol'), async (f) => {
  await send('POST', '/api/v1/enrolment', { code: f.code.value.trim() });
  reload('enrolment');
});

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
