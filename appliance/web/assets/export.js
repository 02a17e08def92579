// Handing the original to the police: purpose, hash, statement, two files.
import { ask, clockOf, el, fromLocal, getJSON, iso, onSubmit, Problem, say, t, whenOf, lang } from './api.js';

const pause = (ms) => new Promise((r) => { setTimeout(r, ms); });
const mib = (n) => new Intl.NumberFormat(lang, { maximumFractionDigits: 1 }).format(n / 1048576);

function result(box, x) {
  const base = `/api/v1/exports/${x.id}`;
  const gaps = x.gaps.length === 0 ? t('export.nogaps') : t('export.gaps', x.gaps.slice(0, 5).map((g) => `${clockOf(new Date(g.from))}–${clockOf(new Date(g.to))}`).join(', ') + (x.gaps.length > 5 ? ' …' : ''));
  box.replaceChildren(el('h2', {}, t('export.ready')),
    el('p', {}, t('export.span', whenOf(new Date(x.from)), clockOf(new Date(x.from)), clockOf(new Date(x.to)), mib(x.size))),
    el('p', { className: x.gaps.length ? 'warn' : 'good' }, gaps),
    el('div', { className: 'bar' },
      el('a', { className: 'button primary huge', href: `${base}/clip.mp4`, download: '', 'data-testid': 'export-video' }, t('export.video')),
      el('a', { className: 'button primary huge', href: `${base}/statement.txt`, download: '', 'data-testid': 'export-statement' }, t('export.statement'))),
    el('h3', {}, t('export.next')), el('ol', {}, ...[t('export.next1'), t('export.next2'), t('export.next3')].map((n) => el('li', {}, n)), x.kept ? el('li', {}, t('export.kept')) : null),
    el('details', { className: 'sub' }, el('summary', {}, t('export.numbers')), el('p', { className: 'hash' }, 'SHA-256 ', el('code', { 'data-testid': 'export-hash' }, x.sha256)),
      el('p', { className: 'hash' }, `${t('export.key')} `, el('code', { 'data-testid': 'export-key' }, x.verifier_key)), el('pre', { className: 'statement' }, x.statement)));
  box.scrollIntoView({ block: 'start' });
}

/** exporting lets form hand out what pick() says, and shows it at box. */
export function exporting(form, box, cam, pick) {
  onSubmit(form, async (f) => {
    const { from, to } = pick();
    const body = { from: iso(new Date(from)), to: iso(new Date(to)), purpose: f.purpose.value.trim() };
    if (f.keep.checked) Object.assign(body, { keep: true, ...(f.review.value && { review: iso(fromLocal(`${f.review.value}T12:00:00`)) }) });
    const answer = await ask(`/api/v1/cameras/${cam}/exports`, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', Prefer: 'respond-async' } });
    let x = await answer.json();
    const bar = el('progress', { max: 100 }), says = el('p', { className: 'big' });
    box.hidden = false;
    box.replaceChildren(el('h2', {}, t('export.title')), says, bar);
    try {
      while (x.state === 'hashing') {
        bar.value = (100 * x.done) / x.size;
        says.textContent = t('export.hashing', mib(x.done), mib(x.size));
        await pause(400);
        x = await getJSON(`/api/v1/exports/${x.id}`);
      }
      if (x.state !== 'ready') throw new Problem(0, x.problem.code, say(x.problem.cause), say(x.problem.remedy));
    } catch (e) {
      box.hidden = true;
      throw e;
    }
    form.hidden = true;
    form.reset();
    result(box, x);
  });
}
