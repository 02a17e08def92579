// A disclosure that runs or has ended: its clocks, and what may be done about it.
import { el, fromLocal, getJSON, iso, lang, onSubmit, Problem, say, send, showProblem, sure, t, toLocal } from './api.js';
import { Documents } from './documents.js';
import { dossier } from './dossier.js';
import { follow } from './progress.js';
import { showSheet } from './sheet.js';

const $ = (id) => document.getElementById(id);

function sending(s) {
  const box = $('sending');
  if (!box || !s) return;
  const mib = (n) => new Intl.NumberFormat(lang, { maximumFractionDigits: 1 }).format(n / 1048576);
  const part = s.size > 0 && s.state === 'sending' ? ` (${t('sending.of', mib(s.sent), mib(s.size))})` : '';
  const text = t(`sending.${s.state}`) + part;
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  box.replaceChildren(el('p', { className: 'big', role: 'status', 'data-state': s.state }, text));
  if (s.state === 'sending' && s.size > 0) box.append(el('progress', { max: s.size, value: s.sent, 'aria-label': text }));
  if (s.problem) {
    const p = el('div');
    box.append(p);
    showProblem(p, new Problem(0, s.problem.code, say(s.problem.cause), say(s.problem.remedy)));
  }
}

// How long is left, in words that change once a minute.
function clocks() {
  for (const at of document.querySelectorAll('.clocks time')) {
    const left = new Date(at.dateTime) - Date.now(), hours = Math.floor(left / 3600e3);
    at.textContent = left <= 0 ? t('clock.over') : hours >= 48 ? t('clock.days', Math.floor(hours / 24)) : hours >= 1 ? t('clock.hours', hours, Math.floor(left / 60e3) % 60) : t('clock.minutes', Math.max(1, Math.floor(left / 60e3)));
    at.closest('li').classList.toggle('soon', left < (at.closest('li').dataset.clock === 'report' ? 6 : 72) * 3600e3);
  }
}

export async function begin({ root, path, current }) {
  const again = (where = '') => { location.hash = where; location.reload(); };
  sending(current.sending);
  clocks();
  setInterval(clocks, 20000);
  const shops = { members: [], people: 0 };
  if (current.state === 'deleted') $('dossier').closest('section').hidden = true;
  else {
    dossier($('dossier'), current, path, shops);
    const documents = new Documents(path, async () => again('documents'));
    documents.show(current, false);
    $('document-add').hidden = !(current.may ?? []).includes('document');
    getJSON('/api/v1/members').then((all) => {
      shops.members = all;
      dossier($('dossier'), current, path, shops);
      for (const e of document.querySelectorAll('[data-name]')) e.textContent = all.find((m) => m.id === e.dataset.name)?.name ?? e.dataset.name;
      members(all);
    }).catch((e) => showProblem($('document-problems'), e));
  }
  if (root.dataset.copy && $('sheet')) showSheet(path).catch((e) => showProblem($('sheet'), e));
  if (current.state === 'tagged') follow(path).then(() => again());

  function members(all) {
    for (const [place, act] of [[$('narrow-members'), 'drop'], [$('reassess-members'), 'reassess-drop']]) {
      place?.replaceChildren(...(current.evidence.circle?.members ?? []).map((id) => {
        const m = all.find((x) => x.id === id);
        return el('label', { className: 'check' }, el('input', { type: 'checkbox', name: 'drop', value: id, 'data-testid': `${act}-${id}` }), el('span', {}, m?.name ?? id, el('small', {}, [m?.town, m?.trade].filter(Boolean).join(' · '))));
      }));
    }
  }
  const dropped = (form) => [...form.querySelectorAll('[name=drop]:checked')].map((x) => x.value);

  const now = () => toLocal(new Date()).slice(0, 16);
  if ($('report-form')) $('report-form').elements.at.value = now();
  onSubmit($('report-form'), async (f) => {
    await send('POST', `${path}/report`, { version: current.version, number: f.number.value.trim(), at: iso(fromLocal(f.at.value)) });
    again('share');
  });
  onSubmit($('withdraw-form'), async (f) => {
    await send('POST', `${path}/withdrawal`, { reason: f.reason.value.trim() });
    again('share');
  });
  onSubmit($('reassess-form'), async (f) => {
    const drop = dropped($('reassess-form'));
    if (drop.length > 0 && !(await sure(t('narrow.sure', drop.length), t('reassess.button')))) return;
    await send('POST', `${path}/reassessments`, { version: current.version, reasons: f.reasons.value.trim(), next: iso(fromLocal(`${f.next.value}T12:00:00`)), ...(drop.length > 0 && { drop }) });
    again('share');
  });
  onSubmit($('narrow-form'), async (f) => {
    const drop = dropped($('narrow-form'));
    if (drop.length === 0) throw new Problem(0, 'nobody', t('narrow.nobody'), t('narrow.nobodyremedy'));
    if (!(await sure(t('narrow.sure', drop.length), t('narrow.button')))) return;
    await send('POST', `${path}/narrowings`, { version: current.version, drop, reason: f.reason.value.trim() });
    again('share');
  });
  return {
    version: () => current.version,
    writing: () => [...document.querySelectorAll('textarea, #report-form input[name=number]')].some((x) => x.value),
    seen: (c) => { sending(c.sending); return c.state === root.dataset.state && c.version === current.version; },
  };
}
