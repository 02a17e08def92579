// The case's page: what each step needs, in the order of the steps.
import { ask, during, el, fromLocal, getJSON, iso, lang, onSubmit, Problem, say, seconds, send, showProblem, t, toast, toLocal } from './api.js';
import { Evidence } from './evidence.js';
import { Choices } from './choices.js';
import { Marker } from './marker.js';
import { showSheet } from './sheet.js';
import { Follower } from './tracks.js';

const $ = (id) => document.getElementById(id);
const root = $('case');
const path = `/api/v1/cases/${root.dataset.id}`;
const may = root.dataset.may.split(' ');
let current = await getJSON(path);
let sheet = null;
const loaded = current.version;

history.scrollRestoration = 'manual'; // what is new stands at the top, or where the address points
const reload = (where = '') => { location.hash = where; location.reload(); };

// What is missing, with the condition's number, and what that allows.
function missing() {
  const before = (current.missing ?? []).filter((m) => !m.by_assessor);
  const box = $('missing');
  if (before.length === 0) {
    box.className = 'missing none';
    box.replaceChildren(el('p', {}, `✓ ${t('missing.none')}`));
  } else {
    box.className = 'missing some';
    box.replaceChildren(el('p', {}, before.length === 1 ? t('missing.one') : t('missing.some', before.length)),
      el('ul', {}, ...before.map((m) => el('li', { 'data-code': m.code }, el('a', { href: `#${m.condition}` }, m.condition), ` ${say(m.text)}`))));
  }
  const open = new Set((current.missing ?? []).map((m) => m.condition));
  const byStaff = new Set(before.map((m) => m.condition));
  for (const v of document.querySelectorAll('[data-condition]')) {
    const id = v.dataset.condition;
    v.classList.toggle('met', !open.has(id));
    v.classList.toggle('unmet', byStaff.has(id));
  }
  if ($('submit')) {
    $('submit').disabled = before.length > 0;
    $('submit-says').textContent = before.length > 0 ? t('submit.wait') : t('submit.after');
  }
}

function changed(c) {
  current = c;
  missing();
}

const evidence = new Evidence(current, path, may.includes('change'), changed);
missing();

// Step 1: who may be seen, and what else the copy is to be.
let marker = null;
if (may.includes('redact')) {
  marker = new Marker(current.subjects, path);
  const details = $('mark-details'), button = $('redact');
  const follower = new Follower(marker, path);
  const choices = new Choices(marker, current.choice, root.dataset.camera);
  const opened = () => { if (details.open) marker.open(); };
  details.addEventListener('toggle', opened);
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
    if (!(await evidence.settle())) throw new Problem(409, 'unsaved', t('form.unsaved'), t('form.unsavedremedy'));
    await follower.working;
    changed(await send('PUT', `${path}/subject`, { version: current.version, subjects: marker.subjects, ...choices.body }));
    follower.opened = false; // the box has closed it
    details.open = false;
    follow();
  }).then(ready));
}

// Step 2: the copy is being made. Meanwhile the case can't be changed.
const pause = (ms) => new Promise((r) => { setTimeout(r, ms); });

function working(on) {
  $('mark').hidden = on || !may.includes('redact');
  document.querySelector('#evidence-form fieldset').disabled = on || !may.includes('change');
}

let following = false;
async function follow() {
  if (following) return;
  following = true;
  $('progress').hidden = $('cancel').hidden = false;
  working(true);
  document.querySelector('[data-testid=next]').lastChild.textContent = ` ${t('next.tagged')}`;
  $('progress').scrollIntoView({ block: 'center' });
  const began = performance.now();
  let first = null;
  for (;;) {
    let p;
    try {
      p = await getJSON(`${path}/progress`);
    } catch (e) {
      showProblem(document.querySelector('#progress .problems'), e);
      await pause(3000);
      continue;
    }
    document.querySelector('#progress .problems').replaceChildren();
    if (p.preview && $('preview').dataset.n !== String(p.preview)) {
      $('preview').dataset.n = p.preview;
      $('preview').hidden = false;
      $('preview').querySelector('img').src = `${path}/preview.jpg?n=${p.preview}`;
    }
    $('stage').textContent = t(`stage.${p.stage}`);
    const share = p.total > 0 ? p.done / p.total : null;
    if (share === null) $('bar').removeAttribute('value'); else $('bar').value = share * 100;
    first = first?.stage === p.stage ? first : { stage: p.stage, at: performance.now(), done: p.done };
    const speed = (p.done - first.done) / (performance.now() - first.at);
    $('left').textContent = share === null || p.stage === 'write' ? '' : // written bytes are no pictures
       t('progress.frames', p.done, p.total) +
      (speed > 0 && performance.now() - began > 2000 ? ` · ${t('progress.left', seconds(Math.ceil((p.total - p.done) / speed / 1000)))}` : '');
    if (p.running) {
      await pause(500);
      continue;
    }
    const now = await getJSON(path).catch(() => current);
    if (now.state !== 'tagged' && p.problem && may.includes('redact')) {
      showProblem(document.querySelector('#progress .problems'), new Problem(0, p.problem.code, say(p.problem.cause), say(p.problem.remedy)));
      $('cancel').hidden = true;
      evidence.base = now;
      changed(now);
      working(false);
      document.querySelector('[data-testid=next]').lastChild.textContent = ` ${t('next.draft')}`;
      following = false;
      return;
    }
    if (now.state !== 'tagged') {
      if (now.state === root.dataset.state && now.version === loaded) $('progress').hidden = true; // nothing new to show
      else reload(now.copy ? 'copy' : 'mark');
      return;
    }
    await pause(2000); // done, and not yet in the case
  }
}
if (current.state === 'tagged' || current.progress?.running || (current.progress?.problem && may.includes('redact'))) follow();
$('cancel').addEventListener('click', () => during($('cancel'), document.querySelector('#progress .problems'), async () => {
  await ask(`${path}/progress`, { method: 'DELETE' });
  reload('mark');
}));

// Step 3: what is revealed.
if (root.dataset.copy) {
  try {
    sheet = await showSheet(path);
  } catch (e) {
    showProblem($('sheet'), e);
  }
}

// Step 4: hand over, assess.
$('submit')?.addEventListener('click', () => during($('submit'), $('submit-problems'), async () => {
  if (!(await evidence.settle())) throw new Problem(409, 'unsaved', t('form.unsaved'), t('form.unsavedremedy'));
  await send('POST', `${path}/submit`, { version: current.version });
  reload();
}));

onSubmit(document.querySelector('form#assess'), async (f, button) => {
  const approve = button.value === 'approve';
  if (approve && f.flagged && !f.flagged.checked) {
    $('flags').scrollIntoView({ block: 'start' });
    throw new Problem(0, 'unflagged', t('assess.unflagged'), t('assess.unflaggedremedy'));
  }
  if (approve && !f.seen.checked) throw new Problem(0, 'unseen', t('assess.unseen'), t('assess.unseenremedy'));
  if (!sheet) throw new Problem(0, 'nosheet', t('assess.nosheet'), t('js.tryagain'));
  await send('POST', `${path}/assessment`, {
    version: current.version, decision: button.value, reasons: f.reasons.value.trim(), copy: current.copy.hash, sheet: sheet.hash,
    ...(f.flagged?.checked && { saw_flagged: Number(f.flagged.value) }),
    ...(f.guideline.value.trim() && { guideline: f.guideline.value.trim() }), password: f.password.value,
  });
  reload();
});

onSubmit($('sound-form'), async (f) => {
  const keep = Boolean($('sound-form').dataset.keep);
  await send('PUT', `${path}/sound`, { version: current.version, keep, ...(keep && { reason: f.reason.value.trim() }) });
  reload('progress');
});

// Step 5: shared.
function sending(s) {
  const box = $('sending');
  if (!box || !s) return;
  const mib = (n) => new Intl.NumberFormat(lang, { maximumFractionDigits: 1 }).format(n / 1048576);
  const part = s.size > 0 && s.state === 'sending' ? ` (${t('sending.of', mib(s.sent), mib(s.size))})` : '';
  box.replaceChildren(el('p', { className: 'big', role: 'status', 'data-state': s.state }, t(`sending.${s.state}`) + part));
  if (s.state === 'sending' && s.size > 0) box.append(el('progress', { max: s.size, value: s.sent }));
  if (s.problem) {
    const p = el('div');
    box.append(p);
    showProblem(p, new Problem(0, s.problem.code, say(s.problem.cause), say(s.problem.remedy)));
  }
}
sending(current.sending);

const report = $('report-form');
if (report) report.elements.at.value = toLocal(new Date()).slice(0, 16);
onSubmit(report, async (f) => {
  await send('POST', `${path}/report`, { version: current.version, number: f.number.value.trim(), at: iso(fromLocal(f.at.value)) });
  reload('share');
});
onSubmit($('withdraw-form'), async (f) => {
  await send('POST', `${path}/withdrawal`, { reason: f.reason.value.trim() });
  reload('share');
});

// Others act on the case too: show it where nobody is writing here.
const writing = () => evidence.dirty || [...document.querySelectorAll('form:not(#evidence-form) textarea, form:not(#evidence-form) input[type=password]')].some((x) => x.value);
if (['submitted', 'released', 'disclosed'].includes(current.state)) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const c = await getJSON(path);
      sending(c.sending);
      // The page's own state: the script may have read a later one already.
      const moved = c.state !== root.dataset.state || c.version !== current.version;
      if (!moved) return;
      if (writing()) toast(t('case.moved')); else location.reload();
    } catch { /* the box is away for a moment; the next round tells */ }
  }, current.state === 'released' ? 1000 : 5000);
}
