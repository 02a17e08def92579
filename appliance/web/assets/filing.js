// What the shop owes others about a case: what has changed, what is held, that the person was told,
// the copy to the person shown, and the deletion when it is over.
import { ask, el, fromLocal, getJSON, iso, onSubmit, say, send, sure, t, toast, toLocal, whenOf } from './api.js';

const $ = (id) => document.getElementById(id);

/** filing lets the forms about information, the copy and deletion be sent. */
export function filing({ path, version, disclosed }) {
  onSubmit($('inform-form'), async (f) => {
    await send('POST', `${path}/informed`, { version: version(), how: f.how.value, words: f.words.value.trim(), at: iso(new Date()) });
    location.reload();
  });
  const fact = $('fact-form');
  if (fact) fact.elements.at.value = toLocal(new Date()).slice(0, 16);
  onSubmit(fact, async (f) => {
    if (!(await sure(disclosed ? t('fact.sure') : t('fact.surestop'), t('fact.button')))) return;
    await send('POST', `${path}/facts`, { version: version(), what: f.what.value, at: iso(fromLocal(f.at.value)), words: f.words.value.trim() });
    location.reload();
  });
  onSubmit($('handout-form'), async (f) => {
    const answer = await ask(`${path}/handout`, { method: 'POST', body: JSON.stringify({ to: f.to.value.trim(), understood: f.understood.checked }), headers: { 'Content-Type': 'application/json' } });
    const url = URL.createObjectURL(await answer.blob());
    const a = el('a', { href: url, download: answer.headers.get('Content-Type') === 'image/jpeg' ? 'indsigt.jpg' : 'indsigt.mp4' });
    a.click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    toast(t('handout.done'));
  });
  onSubmit($('delete-form'), async (f) => {
    if (!(await sure(t('delete.sure'), t('delete.button')))) return;
    await send('DELETE', path, { reason: f.reason.value.trim() });
    location.reload();
  });
}

/** showHoldings lists everything that is kept about the case. */
export async function showHoldings(path) {
  const h = await getJSON(`${path}/holdings`);
  const row = (main, ...sub) => el('li', { className: 'row' }, el('span', { className: 'main' }, main), ...sub.filter(Boolean).map((s) => el('span', { className: 'sub' }, s)));
  const when = (s) => whenOf(new Date(s));
  const part = (title, rows) => (rows.length === 0 ? [] : [el('h3', {}, title), el('ul', { className: 'rows' }, ...rows)]);
  $('holdings-list').replaceChildren(
    el('p', {}, say(h.purpose)), el('p', {}, say(h.source)),
    ...part(t('holdings.items'), (h.items ?? []).map((i) => row(say(i.what), say(i.where), i.until ? t('holdings.until', when(i.until)) : say(i.ends), i.hash ? `SHA-256 ${i.hash}` : ''))),
    ...part(t('holdings.given'), (h.recipients ?? []).map((r) => row(r.name || r.member, r.ended ? t('holdings.ended', when(r.ended)) : ''))),
    ...part(t('holdings.accesses'), (h.accesses ?? []).map((a) => row(when(a.at), [a.member_name || a.member, a.function, a.purpose].filter(Boolean).join(' · ')))),
    ...part(t('holdings.own'), (h.own ?? []).map((a) => row(when(a.at), [a.role, a.act, a.why].filter(Boolean).join(' · ')))),
    h.unknown ? el('p', { className: 'warn' }, t('holdings.unknown')) : '',
    el('p', { className: 'hint' }, say(h.rights)));
}
