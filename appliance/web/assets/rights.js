// A person's request for access: when the answer is due, and what there is.
import { el, fromLocal, iso, lang, onSubmit, send, t, toLocal, whenOf } from './api.js';

const $ = (id) => document.getElementById(id);

/** due is the same day of the next month, or that month's last (GDPR art. 12(3)). */
function due(day) {
  const [y, m, d] = day.split('-').map(Number);
  const last = new Date(Date.UTC(y, m + 1, 0)).getUTCDate();
  return new Date(Date.UTC(y, m, Math.min(d, last), 12));
}

const whole = new Intl.DateTimeFormat(lang, { timeZone: 'Europe/Copenhagen', day: 'numeric', month: 'long', year: 'numeric' });
const got = $('got');
function by() { $('answer-by').textContent = got.value ? t('rights.by', whole.format(due(got.value))) : t('rights.bymonth'); }
got.value = toLocal(new Date()).slice(0, 10);
got.max = got.value;
got.addEventListener('change', by);
by();

const form = $('find-form');
form.elements.to.value = toLocal(new Date()).slice(0, 16);
form.elements.from.value = toLocal(new Date(Date.now() - 30 * 86400e3)).slice(0, 16);

function found(c) {
  const to = (part, text) => el('a', { className: 'button', href: `/cases/${c.id}${part}` }, text);
  return el('li', { className: 'row', 'data-case': c.id },
    el('span', { className: 'main' }, c.what || t('rights.deleted')), el('span', { className: `chip state-${c.state}` }, t(`state.${c.state}`)),
    el('span', { className: 'sub' }, [whenOf(new Date(c.happened_at)), c.camera_name || c.camera].join(' · ')),
    el('span', { className: 'bar' }, to('', t('rights.open')), to('#holdings', t('holdings.title')), to('#inform', t('inform.title')), to('#handout', t('handout.title'))));
}

onSubmit(form, async (f) => {
  const r = await send('POST', '/api/v1/rights/find', { from: iso(fromLocal(f.from.value)), to: iso(fromLocal(f.to.value)), camera: f.camera.value, words: f.words.value.trim(), why: f.why.value.trim() });
  const cases = r.cases ?? [], spans = r.recorded ?? [];
  $('found').hidden = false;
  $('found-count').textContent = cases.length === 0 ? t('rights.none') : cases.length === 1 ? t('rights.one') : t('rights.some', cases.length);
  $('found-cases').replaceChildren(...cases.map(found));
  $('found-footage').replaceChildren(...(spans.length === 0 ? [el('li', { className: 'empty' }, t('rights.nofootage'))] : spans.map((s) => el('li', { className: 'row' },
    el('span', { className: 'main' }, s.name || s.camera), el('span', { className: 'sub' }, `${whenOf(new Date(s.span.from))} – ${whenOf(new Date(s.span.to))}`),
    form.dataset.footage ? el('span', { className: 'bar' }, el('a', { className: 'button', href: `/cameras/${s.camera}?at=${encodeURIComponent(s.span.from)}` }, t('rights.look'))) : null))));
  $('found-more').hidden = !r.more;
  $('found-more').textContent = r.more ? t('rights.more', r.more) : '';
  $('h-found').focus();
});
