// The assessor's page: everything to decide by, and the signature.
import { el, getJSON, onSubmit, during, dayOf, Problem, send, showProblem, t, toast, whenOf } from './api.js';
import { papers } from './documents.js';
import { dossier, shopsOf } from './dossier.js';
import { supported, use } from './passkey.js';
import { Playback } from './play.js';
import { cancelling, follow } from './progress.js';
import { showSheet } from './sheet.js';

const $ = (id) => document.getElementById(id);

export async function begin({ path, current }) {
  const form = $('assess');
  let sheet = null, prepared = null;
  const shops = { members: [], people: 0 };
  dossier($('dossier'), current, path, shops);
  $('allpapers').replaceChildren(...papers(current, path), ...((current.documents ?? []).length === 0 ? [el('li', { className: 'hint' }, t('doc.none'))] : []));
  getJSON('/api/v1/members').then(async (all) => {
    shops.members = all;
    const k = current.evidence.circle;
    try { shops.people = (await send('POST', '/api/v1/circle', { area: k.area, place: k.place, trades: k.trades, chains: k.chains, members: k.members })).people; } catch { /* the shops alone are told */ }
    dossier($('dossier'), current, path, shops);
  }).catch((e) => showProblem(form.querySelector('.problems'), e));

  const original = new Playback($('original'), $('original-making'), $('original-problem'));
  $('original-play').addEventListener('click', () => during($('original-play'), $('original-problem'), async () => {
    if (original.path !== $('original').dataset.src) await original.load($('original').dataset.src);
    await $('original').play().catch(() => { /* a failed video says so itself */ });
  }));
  cancelling(path);
  const remade = async () => { if (await follow(path)) location.reload(); };
  if (current.state === 'tagged' || current.progress?.running) remade();
  else if (current.copy) showSheet(path).then((s) => { sheet = s; }).catch((e) => showProblem($('sheet'), e));

  const verdict = (f, decision) => ({
    version: current.version, decision, reasons: f.reasons.value.trim(), copy: current.copy.hash, sheet: sheet.hash,
    ...(f.flagged?.checked && { saw_flagged: Number(f.flagged.value) }),
    ...(f.guideline.value.trim() && { guideline: f.guideline.value.trim() }),
  });

  onSubmit(form, async (f, button) => {
    const approve = button.value === 'approve';
    if (approve && f.flagged && !f.flagged.checked) {
      $('flags').scrollIntoView({ block: 'start' });
      throw new Problem(0, 'unflagged', t('assess.unflagged'), t('assess.unflaggedremedy'));
    }
    if (approve && !f.seen.checked) throw new Problem(0, 'unseen', t('assess.unseen'), t('assess.unseenremedy'));
    if (!sheet) throw new Problem(0, 'nosheet', t('assess.nosheet'), t('js.tryagain'));
    const v = verdict(f, button.value);
    if (!approve) {
      await send('POST', `${path}/assessment`, v);
      location.reload();
      return;
    }
    if (!supported()) throw new Problem(0, 'nopasskey', t('sign.nokey'), t('sign.nokeyremedy'));
    const key = f.key?.value ? { key: f.key.value } : {};
    prepared = { v, view: await send('POST', `${path}/assessment/options`, { ...v, ...key }) };
    sign(prepared.view);
  });

  // What is signed, in plain words, before the key is asked for.
  function sign(view) {
    const k = current.evidence.circle, ends = new Date(Date.now() + 30 * 86400e3);
    const stated = (() => { try { return JSON.parse(view.statement); } catch { return {}; } })();
    const until = stated.not_after ? new Date(stated.not_after) : ends;
    $('sign-lead').textContent = view.opinion ? t('sign.opinion') : t('sign.lead');
    const rows = [[t('sign.copy'), t('sign.copyis', current.copy.hash.slice(0, 12))], [t('sign.circle'), shopsOf((k.members ?? []).length, shops.people)],
      [t('sign.until'), dayOf(until)], [t('sign.you'), t('sign.within', whenOf(new Date(view.until)))]];
    $('sign-says').replaceChildren(...rows.map(([a, b]) => el('div', {}, el('dt', {}, a), el('dd', {}, b))));
    $('sign-statement').textContent = JSON.stringify(stated, null, 1);
    $('sign').hidden = false;
    form.hidden = true;
    $('sign').scrollIntoView({ block: 'center' });
    $('h-sign').focus({ preventScroll: true });
    $('sign-now').focus({ preventScroll: true });
  }
  const back = () => { $('sign').hidden = true; form.hidden = false; prepared = null; };
  $('sign-not').addEventListener('click', () => { back(); form.querySelector('[data-testid=approve]').focus(); });
  $('sign-now').addEventListener('click', () => during($('sign-now'), $('sign-problems'), async () => {
    const { v, view } = prepared;
    const response = await use(view.ceremony.options);
    try {
      await send('POST', `${path}/assessment`, { ...v, ceremony: view.ceremony.id, response });
    } catch (e) {
      back(); // a signature is for one try: what is signed next is prepared anew
      showProblem(form.querySelector('.problems'), e);
      return;
    }
    location.reload();
  }));

  onSubmit($('sound-form'), async (f) => {
    const keep = Boolean($('sound-form').dataset.keep);
    await send('PUT', `${path}/sound`, { version: current.version, keep, ...(keep && { reason: f.reason.value.trim() }) });
    toast(t('next.tagged'));
    remade();
  });

  return {
    version: () => current.version, busy: () => Boolean(prepared),
    writing: () => [...document.querySelectorAll('textarea')].some((x) => x.value),
    seen: (c) => c.state === 'submitted' && c.version === current.version,
  };
}
