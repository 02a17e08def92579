// The steps of who prepares a case.
import { during, getJSON, Problem, say, send, showProblem, t, toLocal, el } from './api.js';
import { graveAlone } from './answers.js';
import { Choices } from './choices.js';
import { Circle } from './circle.js';
import { Documents } from './documents.js';
import { dossier } from './dossier.js';
import { Answers } from './form.js';
import { Links, Statements } from './lists.js';
import { Marker } from './marker.js';
import { cancelling, follow } from './progress.js';
import { showSheet } from './sheet.js';
import { names, stepOf, Steps } from './steps.js';
import { Follower } from './tracks.js';

const $ = (id) => document.getElementById(id);

export async function begin({ root, path, current }) {
  const form = $('evidence-form');
  let answers = null, follower = null;
  const typed = () => answers?.typed();
  const circle = new Circle(form, typed), statements = new Statements(typed), links = new Links(typed), report = reported(form);
  answers = new Answers(current, path, [circle, statements, links, report]);
  const may = (act) => (answers.current.may ?? []).includes(act);
  const documents = new Documents(path, async () => { answers.adopt(await getJSON(path)); });
  const steps = new Steps(() => answers.flush());

  // What hangs together on the form.
  const hints = () => {
    const f = answers.now;
    $('basis-why').hidden = f.basis !== 'circumstances' && f.basis_words === '';
    const grave = graveAlone(f);
    $('circle-why').hidden = f.circle_reason === ''; // one reason for all: from before each choice had its own
    $('grave').hidden = !grave;
    $('grounds').hidden = grave && f.repetition === '' && f.professional === '';
    $('today-next').hidden = f.report_today || f.report_number !== '' || !may('change');
    document.querySelector('[data-testid=next-circle]').classList.toggle('primary', $('today-next').hidden);
    if (f.statements.length > 0) $('witnesses').open = true;
    if (f.chains.length > 0) $('chains-part').open = true;
  };

  // How each step stands, and what is missing before the case can be handed over.
  const stand = () => {
    const c = answers.current, f = answers.now;
    const before = (c.missing ?? []).filter((m) => !m.by_assessor);
    const begun = {
      what: true, who: (c.subjects ?? []).length > 0 || Boolean(c.copy), why: Boolean(f.repeat_reasons || f.repetition || f.professional || f.links.length),
      report: Boolean(f.report_number || f.report_today || (c.documents ?? []).length), circle: Boolean(f.circle_reason || f.area_reason || f.trades_reason || f.chains_reason), submit: false,
    };
    const s = {};
    for (const n of names) {
      const missing = before.filter((m) => stepOf[m.condition] === n).length;
      s[n] = { missing, begun: begun[n], done: n !== 'submit' && missing === 0 && (begun[n] || n === 'circle') };
    }
    s.submit.ready = before.length === 0 && may('submit');
    steps.mark(s);
    const box = $('missing');
    box.className = `missing ${before.length === 0 ? 'none' : 'some'}`;
    box.replaceChildren(el('p', {}, before.length === 0 ? `✓ ${t('missing.none')}` : before.length === 1 ? t('missing.one') : t('missing.some', before.length)),
      before.length === 0 ? '' : el('ul', {}, ...before.map((m) => el('li', { 'data-code': m.code }, el('a', { href: `#${stepOf[m.condition]}` }, m.condition), ` ${say(m.text)}`))));
    dossier($('dossier'), c, path, { steps: true, members: circle.all });
    $('submit').disabled = before.length > 0 || !may('submit');
    $('submit-says').textContent = before.length > 0 ? t('submit.wait') : may('submit') ? t('submit.after') : c.state === 'tagged' ? t('next.tagged') : t('submit.maynot');
    documents.show(c, may('document') || may('change'));
    for (const f2 of document.querySelectorAll('#evidence-form fieldset.all')) f2.disabled = !may('change') && c.state !== 'tagged';
    return { s, before };
  };
  answers.addEventListener('saved', () => { stand(); hints(); });
  answers.addEventListener('filled', hints);
  answers.addEventListener('typed', hints);
  form.addEventListener('change', hints);
  $('today-next').addEventListener('click', () => {
    form.elements.reported.value = 'today';
    report.chosen();
    answers.typed();
    steps.go('circle');
  });

  // Who may be seen, and what else the copy is to be.
  let marker = null;
  const mark = () => {
    $('mark').hidden = !may('redact');
    if (!may('redact') || marker) return;
    marker = new Marker(answers.current.subjects, path);
    const details = $('mark-details'), button = $('redact');
    follower = new Follower(marker, path);
    const choices = new Choices(marker, answers.current.choice, root.dataset.camera);
    const opened = () => { if (details.open && !$('step-who').hidden) marker.open(); };
    marker.video.addEventListener('loadeddata', () => follower.early(), { once: true });
    details.addEventListener('toggle', opened);
    addEventListener('hashchange', opened);
    opened();
    const ready = () => {
      button.disabled = !choices.ready;
      $('redact-says').textContent = choices.ready ? t('mark.after') : marker.ready || choices.mode === 'blur-everything' ? t('mark.tick') : t('follow.first');
      button.textContent = choices.mode === 'blur-everything' ? t('mark.starttraining') : choices.still ? t('mark.startstill') : t('mark.start');
    };
    choices.addEventListener('change', ready);
    ready();
    for (const a of document.querySelectorAll('a[href="#mark"]')) a.addEventListener('click', () => { details.open = true; });
    button.addEventListener('click', () => during(button, $('mark-problems'), async () => {
      if (!(await answers.flush())) throw new Problem(409, 'unsaved', t('form.unsaved'), t('form.unsavedremedy'));
      await follower.working;
      answers.adopt(await send('PUT', `${path}/subject`, { version: answers.current.version, subjects: marker.subjects, ...choices.body }));
      follower.opened = false; // the box has closed it
      details.open = false;
      making();
    }).then(ready));
  };

  // The copy is being made. The other steps can be answered meanwhile.
  const told = () => {
    const c = answers.current;
    root.dataset.state = c.state;
    $('nextstep').querySelector('span').textContent = t(`next.${c.state}`);
    const chip = document.querySelector('#titleline .chip');
    chip.className = `chip state-${c.state}`;
    chip.textContent = t(`state.${c.state}`);
  };
  const copied = async () => { // the copy's section as the box draws it now
    const page = new DOMParser().parseFromString(await (await fetch(location.pathname, { credentials: 'same-origin', cache: 'no-store' })).text(), 'text/html');
    const fresh = page.getElementById('copy');
    if (!fresh) return;
    $('copy').replaceWith(document.adoptNode(fresh));
    $('copy').querySelector('#correct')?.addEventListener('click', () => { $('mark-details').open = true; });
    if (answers.current.copy) await showSheet(path).catch((e) => showProblem($('sheet'), e));
  };
  const making = async () => {
    $('mark').hidden = true;
    told();
    stand();
    if (!$('step-who').hidden) $('progress').scrollIntoView({ block: 'center' });
    const now = await follow(path);
    if (!now) return;
    answers.adopt(now);
    if (answers.dirty) answers.soon(0);
    told();
    if (!['draft', 'redacted', 'refused', 'tagged'].includes(now.state)) { location.reload(); return; }
    await copied();
    mark();
    stand();
    hints();
    if (!$('step-who').hidden && now.copy) $('copy').scrollIntoView({ block: 'start' });
  };
  cancelling(path);

  // Hand over.
  $('submit').addEventListener('click', () => during($('submit'), $('submit-problems'), async () => {
    if (!(await answers.flush())) throw new Problem(409, 'unsaved', t('form.unsaved'), t('form.unsavedremedy'));
    await send('POST', `${path}/submit`, { version: answers.current.version });
    location.hash = '';
    location.reload();
  }));

  // Where the person begins: what the address names, else the marking,
  // which takes the longest, else the first step that lacks something.
  const { s } = stand();
  hints();
  if (!steps.follow(false)) steps.show(['draft', 'tagged'].includes(current.state) && !s.who.done ? 'who' : names.find((n) => !s[n].done) ?? 'submit', false);
  mark();
  if (current.copy) showSheet(path).catch((e) => showProblem($('sheet'), e));
  if (current.state === 'tagged' || current.progress?.running || (current.progress?.problem && may('redact'))) making();
  const next = form.elements.next_reassessment;
  if (may('change') && !next.value) { next.value = next.dataset.suggest; typed(); }
  circle.load(may('change')).then(stand).catch((e) => showProblem($('members'), e));
  if (may('change')) {
    getJSON(`${path}/suggestions`).then((x) => {
      links.suggest(x.links ?? []);
      if (x.first_of_kind && current.version <= 2 && !form.elements.first_of_kind.checked && current.state === 'draft') { form.elements.first_of_kind.checked = true; typed(); }
    }).catch(() => links.suggest([])); // they only save some typing
  } else links.suggest([]);

  return {
    writing: () => answers.dirty, busy: () => answers.current.state === 'tagged' || answers.both.length > 0, version: () => answers.current.version,
    seen: (c) => {
      if (!['draft', 'redacted', 'refused', 'tagged'].includes(c.state)) return false;
      if (c.version === answers.current.version) return true;
      const before = answers.current.state;
      answers.adopt(c);
      told();
      if (c.state === 'tagged' && before !== 'tagged') making(); else if (c.state !== before) copied();
      return true;
    },
  };
}

/** reported is the choice between a report that is made and one that is promised. */
function reported(form) {
  const x = form.elements;
  const part = {
    chosen() {
      const yes = x.reported.value === 'yes';
      $('reported-fields').hidden = !yes;
      if (yes && !x.report_at.value) x.report_at.value = toLocal(new Date()).slice(0, 16);
    },
    fill(f) {
      x.reported.value = f.report_number ? 'yes' : f.report_today ? 'today' : x.reported.value;
      part.chosen();
    },
    read() {
      const yes = x.reported.value === 'yes', number = yes ? x.report_number.value.trim() : '';
      return { report_number: number, report_at: number ? x.report_at.value : '', report_today: x.reported.value === 'today' };
    },
  };
  for (const r of form.querySelectorAll('[name=reported]')) {
    r.addEventListener('change', () => {
      part.chosen();
      if (r.value === 'yes') x.report_number.focus();
    });
  }
  return part;
}
