// All cameras' time lines under one another.
import { el, getJSON, iso, showProblem, t, whenOf, minuteOf, dayOf } from './api.js';

const $ = (id) => document.getElementById(id);
let minutes = 1440, end = Date.now(), following = true, asked = 0;
const ticksEvery = { 360: 60, 1440: 240, 10080: 1440, 43200: 7200 }; // minutes

function bar(name, from, to, r, extra = {}) {
  const a = Math.max(0, (Date.parse(r.from) - from) / (to - from)), b = Math.min(1, (Date.parse(r.to) - from) / (to - from));
  const node = el(extra.href ? 'a' : 'div', { className: name, ...extra });
  node.style.left = `min(${a * 100}%, 100% - 3px)`; // the newest is seen on the longest line
  node.style.width = `${(b - a) * 100}%`;
  return node;
}

function row(l, from, to) {
  const track = el('a', { className: 'track', href: `/cameras/${l.camera}`, 'aria-label': t('overview.open', l.name), 'data-testid': `line-${l.camera}` },
    ...l.recorded.map((r) => bar('rec', from, to, r)));
  track.addEventListener('click', (e) => {
    if (!e.clientX) return; // by the keyboard: the camera's page as it opens
    const r = track.getBoundingClientRect();
    track.href = `/cameras/${l.camera}?at=${iso(new Date(from + ((e.clientX - r.left) / r.width) * (to - from)))}`;
  });
  const marks = l.cases.map((c) => bar('casemark', from, to, c.span, { href: `/cases/${c.id}`, title: t('timeline.case'), 'aria-label': t('timeline.case') }));
  const first = Date.parse(l.recorded[0]?.from), since = first > from + (to - from) / 100 ? `${t('overview.since', whenOf(first))} · ` : '';
  const says = l.recorded.length === 0 ? t('overview.nothing') : since + (l.gaps === 0 ? t('overview.whole') : l.gaps === 1 ? t('overview.gap') : t('overview.gaps', l.gaps));
  return el('div', { className: 'line' }, el('div', { className: 'label' }, el('a', { href: `/cameras/${l.camera}` }, el('strong', {}, l.name)), el('span', { className: 'hint' }, says)),
    el('div', { className: 'over' }, track, ...marks));
}

async function load() {
  const mine = ++asked, from = end - minutes * 60e3, to = end;
  for (const b of document.querySelectorAll('[data-minutes]')) b.setAttribute('aria-pressed', String(Number(b.dataset.minutes) === minutes));
  $('later').disabled = following;
  $('span').textContent = `${whenOf(from)} – ${whenOf(to)}`;
  try {
    const px = Math.max(200, Math.min(8192, Math.round($('lines').clientWidth * (window.devicePixelRatio || 1))));
    const lines = await getJSON(`/api/v1/timeline?from=${iso(new Date(from))}&to=${iso(new Date(to))}&px=${px}`);
    if (mine !== asked) return;
    $('lines').replaceChildren(...(lines.length ? lines.map((l) => row(l, from, to)) : [el('p', { className: 'empty' }, t('start.nocameras'))]));
    const every = ticksEvery[minutes] * 60e3, marks = [];
    for (let at = Math.ceil(from / every) * every; at <= to; at += every) {
      const x = ((at - from) / (to - from)) * 100;
      if (x < 4 || x > 96) continue;
      const mark = el('span', {}, minutes > 1440 ? dayOf(at) : minuteOf(at));
      mark.style.left = `${x}%`;
      marks.push(mark);
    }
    $('ticks').replaceChildren(...marks);
    $('problems').replaceChildren();
  } catch (e) {
    showProblem($('problems'), e);
  }
}

function go(to) {
  following = to >= Date.now() - 1000;
  end = following ? Date.now() : to;
  load();
}
for (const b of document.querySelectorAll('[data-minutes]')) b.addEventListener('click', () => { minutes = Number(b.dataset.minutes); load(); });
$('earlier').addEventListener('click', () => go(end - minutes * 30e3));
$('later').addEventListener('click', () => go(end + minutes * 30e3));
$('now').addEventListener('click', () => go(Date.now()));
setInterval(() => { if (following && !document.hidden) go(Date.now()); }, 15000);
load();
