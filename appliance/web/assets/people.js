// People: the yearly review, formal authorisations, qualifications, new accounts.
import { during, el, fromLocal, iso, onSubmit, Problem, send, sure, t, toast } from './api.js';

const $ = (id) => document.getElementById(id);
const all = (selector) => document.querySelectorAll(selector);
const noon = (value) => iso(fromLocal(`${value}T12:00:00`));
const chosen = (form, name) => [...form.querySelectorAll(`[name=${name}]:checked`)].map((x) => x.value);
const change = (id, what) => send('PATCH', `/api/v1/people/${id}`, what);

function reload(says) {
  sessionStorage.setItem('toast', says);
  location.reload();
}
const waiting = sessionStorage.getItem('toast');
if (waiting) {
  sessionStorage.removeItem('toast');
  toast(waiting);
}

// The one place where a generated password is seen, once.
function secret(person) {
  const box = $('secret');
  box.hidden = false;
  box.replaceChildren(el('p', {}, t('admin.secret', person.name)),
    el('p', { className: 'password' }, el('span', {}, `${t('login.login')}: `), el('code', { 'data-testid': 'new-login' }, person.login)),
    el('p', { className: 'password' }, el('span', {}, `${t('login.password')}: `), el('code', { 'data-testid': 'generated-password' }, person.password)),
    el('p', {}, t('people.secretafter')),
    el('div', { className: 'bar' }, el('button', { type: 'button', 'data-testid': 'secret-done', onclick: () => location.reload() }, t('admin.secretdone'))));
  box.scrollIntoView({ block: 'center' });
}

const authorisation = (f) => ({ function: f.function.value.trim(), need: f.need.value.trim(), until: noon(f.until.value) });
function qualification(form) {
  const f = form.elements;
  const competences = chosen(form, 'competences');
  if (!competences.length) throw new Problem(0, 'competences', t('people.nocompetence'), t('people.nocompetenceremedy'));
  return { education: f.education.value.trim(), experience: f.experience.value.trim(), competences, from: noon(f.from.value), to: noon(f.to.value) };
}

for (const form of all('form[data-authorise]')) {
  onSubmit(form, async (f) => {
    const same = form.dataset.review && f.function.value === f.function.defaultValue && f.need.value === f.need.defaultValue;
    if (same) await send('POST', `/api/v1/people/${form.dataset.authorise}/review`, { until: noon(f.until.value) });
    else await change(form.dataset.authorise, authorisation(f));
    reload(t('people.authorised'));
  });
}
for (const form of all('form[data-edit]')) {
  onSubmit(form, async (f) => {
    await change(form.dataset.edit, { name: f.name.value.trim(), roles: chosen(form, 'roles') });
    reload(t('people.saved'));
  });
}
for (const form of all('form[data-qualify]')) {
  onSubmit(form, async () => {
    await change(form.dataset.qualify, { qualification: qualification(form) });
    reload(t('people.saved'));
  });
}

const act = (selector, work) => {
  for (const b of all(selector)) {
    b.addEventListener('click', () => during(b, b.closest('.form').querySelector('.problems'), () => work(b, b.dataset)));
  }
};
act('[data-end]', async (b, d) => {
  if (!(await sure(t('people.sureend', d.name), t('review.end')))) return;
  await change(d.end, { until: iso(new Date(Date.now() - 1000)) });
  reload(t('people.ended'));
});
act('[data-reset]', async (b, d) => {
  if (await sure(t('admin.surereset', d.name), t('admin.reset'))) secret(await send('POST', `/api/v1/people/${d.reset}/password`));
});
act('[data-close]', async (b, d) => {
  if (!(await sure(t('admin.sureclose', d.name), t('admin.close')))) return;
  await change(d.close, { active: false });
  reload(t('people.closed'));
});
act('[data-reopen]', async (b, d) => {
  await change(d.reopen, { active: true });
  reload(t('admin.reopened'));
});

// A new person, one question a step. Only what the roles ask for is asked.
const person = $('person-form');
if (person) {
  const next = $('wizard-next'), back = $('wizard-back'), done = $('wizard-done');
  const place = [...person.children].findLast((x) => x.className === 'problems');
  let at = 0;
  const steps = () => [...person.querySelectorAll('[data-step]')].filter((s) => s.dataset.step !== 'assessor' || chosen(person, 'roles').includes('assessor'));
  const show = (focus) => {
    const now = steps();
    at = Math.min(at, now.length - 1);
    for (const s of person.querySelectorAll('[data-step]')) s.hidden = s.disabled = s !== now[at];
    back.hidden = at === 0;
    next.hidden = at === now.length - 1;
    done.hidden = !next.hidden;
    $('wizard-at').textContent = t('wizard.at', at + 1, now.length);
    if (focus) now[at].querySelector('input')?.focus();
  };
  const complete = () => {
    const step = steps()[at];
    if (!step.checkValidity()) {
      step.querySelector(':invalid:not(fieldset)').reportValidity();
      return false;
    }
    place.replaceChildren();
    if (step.querySelector('[name=roles]') && !chosen(person, 'roles').length) {
      during(next, place, () => { throw new Problem(0, 'roles', t('wizard.norole'), t('wizard.noroleremedy')); });
      return false;
    }
    return true;
  };
  const forward = () => { if (complete()) { at += 1; show(true); } };
  next.addEventListener('click', forward);
  back.addEventListener('click', () => { at -= 1; show(true); });
  person.addEventListener('change', () => show(false));
  person.addEventListener('keydown', (e) => { // Enter goes on, and sends at the end
    if (e.key === 'Enter' && e.target.matches('input') && !next.hidden) { e.preventDefault(); forward(); }
  });
  onSubmit(person, async (f) => {
    if (!complete()) return;
    const body = { login: f.login.value.trim(), name: f.name.value.trim(), roles: chosen(person, 'roles'), ...authorisation(f) };
    if (body.roles.includes('assessor')) body.qualification = qualification(person);
    const made = await send('POST', '/api/v1/people', body);
    person.closest('details').open = false;
    person.reset();
    at = 0;
    show(false);
    secret(made);
  });
  show(false);
}
