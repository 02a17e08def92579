// The camera's page: pick a span on the time line, see it, make a case of it.
import { ask, clockOf, during, fromLocal, getJSON, iso, onSubmit, seconds, send, showProblem, sure, t, toLocal } from './api.js';
import { exporting } from './export.js';
import { Playback } from './play.js';
import { Strip } from './strip.js';
import { Timeline } from './timeline.js';

const $ = (id) => document.getElementById(id);
const cam = $('camera').dataset.cam;
const line = new Timeline($('timeline'));
const strip = new Strip($('strip'), cam, line, (at) => {
  const half = Math.min(30e3, minutes * 60e3 / 10);
  line.set({ from: at - half, to: Math.min(at + half, Date.now()) });
  fields();
  following = false;
});
const playback = new Playback($('player'), $('player-making'), $('player-problem'));
const player = $('player'), liveBox = document.querySelector('.live');
let minutes = 10, end = Date.now(), following = true;

async function load() {
  const from = end - minutes * 60e3;
  line.show(from, end, minutes);
  for (const b of document.querySelectorAll('[data-minutes]')) b.setAttribute('aria-pressed', String(Number(b.dataset.minutes) === minutes));
  $('later').disabled = following;
  try {
    const px = Math.max(200, Math.min(8192, Math.round($('timeline').clientWidth * (window.devicePixelRatio || 1))));
    line.fill(await getJSON(`/api/v1/cameras/${cam}/timeline?from=${iso(new Date(from))}&to=${iso(new Date(end))}&px=${px}`));
    strip.show();
    says();
  } catch (e) {
    showProblem($('player-problem'), e);
  }
}

function go(to) {
  following = to >= Date.now() - 1000;
  end = following ? Date.now() : to;
  return load();
}

for (const b of document.querySelectorAll('[data-minutes]')) {
  b.addEventListener('click', () => {
    const middle = line.pick ? (line.pick.from + line.pick.to) / 2 : end;
    minutes = Number(b.dataset.minutes);
    go(following ? Date.now() : middle + minutes * 30e3);
  });
}
$('earlier').addEventListener('click', () => go(end - minutes * 30e3));
$('later').addEventListener('click', () => go(end + minutes * 30e3));
$('now').addEventListener('click', () => go(Date.now()));
setInterval(() => { if (following && !line.drag && !document.hidden) go(Date.now()); }, 5000);

// says tells in words what is picked, and whether it was recorded.
function says() {
  const p = line.pick;
  for (const id of ['play', 'open-case', 'open-export']) $(id).disabled = !p;
  if (!p) { $('span-says').textContent = t('camera.nothing'); return; }
  const inside = line.recorded.reduce((sum, r) => sum + Math.max(0, Math.min(r.to, p.to) - Math.max(r.from, p.from)), 0);
  const visible = p.from >= line.from && p.to <= line.to;
  const gap = visible && inside < p.to - p.from - 1500;
  $('span-says').textContent = t('camera.span', clockOf(p.from), clockOf(p.to), seconds((p.to - p.from) / 1000)) + (gap ? ` ${t('camera.gap')}` : '');
  $('span-says').classList.toggle('bad', gap);
  $('export-span').textContent = t('camera.span', clockOf(p.from), clockOf(p.to), seconds((p.to - p.from) / 1000));
}

function fields(typing) { // the field that somebody types into is left alone
  for (const side of ['from', 'to']) if (side !== typing) $(side).value = toLocal(new Date(line.pick[side]));
  says();
}
line.addEventListener('pick', (e) => { following = following && !e.detail.done; fields(); });

// A field of a date changes with every part of it that is typed: what is half
// typed is held back until the field is left.
const oldest = Date.UTC(2000, 0, 1);
for (const side of ['from', 'to']) {
  let read = $(side).value;
  const take = (typing) => {
    const at = fromLocal($(side).value)?.getTime();
    if (!at || at < oldest || (!typing && $(side).value === read)) return;
    const pick = { ...(line.pick ?? { from: at, to: at + 60e3 }), [side]: at };
    if (pick.to <= pick.from) { // the end that was typed stands
      if (typing) return;
      if (side === 'from') pick.to = at + 60e3; else pick.from = at - 60e3;
    }
    line.set(pick, side);
    fields(typing);
    if (!typing) read = $(side).value;
    following = false;
    if (at < line.from || at > line.to) go(Math.min(Date.now(), at + minutes * 30e3));
  };
  $(side).addEventListener('focus', () => { read = $(side).value; });
  $(side).addEventListener('change', () => take(document.activeElement === $(side) ? side : undefined));
  $(side).addEventListener('blur', () => take());
}

// last picks the newest minutes, as far as they are recorded.
async function last(n) {
  if (minutes < n) minutes = 10;
  await go(Date.now());
  const until = Math.min(Date.now(), line.recorded.at(-1)?.to ?? Infinity), since = until - n * 60e3;
  line.set({ from: Math.max(since, line.recorded.find((r) => r.to > since)?.from ?? since), to: until });
  following = false;
  fields();
}
for (const b of document.querySelectorAll('[data-last]')) b.addEventListener('click', () => last(Number(b.dataset.last)));

const query = () => `from=${iso(new Date(line.pick.from))}&to=${iso(new Date(line.pick.to))}`;

function tab(clip) {
  liveBox.hidden = clip;
  player.hidden = !clip;
  $('live-says').hidden = clip;
  if (!clip) player.pause();
  $('show-live').setAttribute('aria-pressed', String(!clip));
  $('show-clip').setAttribute('aria-pressed', String(clip));
}
$('show-live').addEventListener('click', () => tab(false));
$('show-clip').addEventListener('click', () => tab(true));

$('play').addEventListener('click', () => {
  $('show-clip').disabled = false;
  tab(true);
  const src = `/api/v1/cameras/${cam}/footage.mp4?${query()}&whole=1`;
  during($('play'), $('player-problem'), async () => {
    player.scrollIntoView({ block: 'nearest' });
    if (playback.path !== src || player.error) await playback.load(src, $('camera').dataset.codec);
    await player.play().catch(() => { /* a failed video says so itself */ });
  });
});

function fold(button, form) {
  button.addEventListener('click', () => {
    form.hidden = !form.hidden;
    button.setAttribute('aria-expanded', String(!form.hidden));
    if (form.hidden) return;
    form.scrollIntoView({ block: 'start' });
    form.querySelector('textarea').focus({ preventScroll: true });
  });
}
fold($('open-case'), $('newcase'));
fold($('open-export'), $('export'));
$('open-case').addEventListener('click', () => { $('newcase').elements.happened.value = toLocal(new Date(line.pick.from)); });

$('newcase').addEventListener('keydown', (e) => {
  if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) $('newcase').requestSubmit();
});
onSubmit($('newcase'), async (f) => {
  const made = await send('POST', '/api/v1/cases', {
    camera: cam, from: iso(new Date(line.pick.from)), to: iso(new Date(line.pick.to)), what: f.what.value.trim(),
    ...(f.value.value !== '' && { value_dkk: Number(f.value.value) }),
    happened_at: iso(fromLocal(f.happened.value)), offence: f.offence.value, attempt: f.attempt.checked,
  });
  // The rest of the answer goes into the case's form. Where that fails the form asks.
  await send('PUT', `/api/v1/cases/${made.id}`, { version: made.version, what: made.what, happened_at: made.happened_at, evidence: { ...made.evidence, basis: f.basis.value } }).catch(() => null);
  location.assign(`/cases/${made.id}`);
});

$('open-export').addEventListener('click', () => { $('exported').hidden = true; });
exporting($('export'), $('exported'), cam, () => line.pick);

// What has changed about the camera, once somebody says that it is meant.
for (const b of document.querySelectorAll('[data-accept]')) {
  b.addEventListener('click', async () => {
    if (!(await sure(b.dataset.accept === 'pin' ? t('camera.surepin') : t('camera.suredevice'), b.textContent))) return;
    during(b, b.closest('section').querySelector('.problems'), async () => {
      await ask(`/api/v1/cameras/${cam}/${b.dataset.accept}`, { method: 'DELETE' });
      location.reload();
    });
  });
}

const at = Math.min(Date.parse(new URLSearchParams(location.search).get('at') ?? ''), Date.now() - 30e3);
if (at > 0) { // from the overview: the place that was pressed
  minutes = 60;
  line.pick = { from: at - 30e3, to: Math.min(at + 30e3, Date.now()) };
  following = false;
  end = Math.min(Date.now(), at + minutes * 30e3);
  fields();
}
new ResizeObserver(() => strip.show()).observe($('strip'));
says();
const newest = Number(new URLSearchParams(location.search).get('last'));
if (newest > 0 && newest <= 10) last(newest).then(() => { if (!$('open-case').hidden) $('open-case').click(); }); // from the start page: a case at once
else load();
