// Marking the subject: boxes drawn on the paused clip become keyframes.
import { el, t, showProblem } from './api.js';
import { Playback } from './play.js';

const near = 0.06; // seconds: a keyframe this close is the one on the screen
const tenth = (n) => Math.round(n * 1000) / 1000;
const number = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const $ = (id) => document.getElementById(id);

export class Marker extends EventTarget {
  constructor(subject) {
    super();
    this.keyframes = (subject?.keyframes ?? []).map((k) => ({ ...k }));
    this.video = $('clip');
    this.playback = new Playback(this.video, $('clip-making'), $('clip-problem'));
    this.overlay = $('overlay');
    this.box = el('div', { className: 'box', hidden: true });
    this.overlay.append(this.box);
    this.video.addEventListener('loadedmetadata', () => {
      $('seek').max = this.video.duration;
      const { videoWidth: w, videoHeight: h } = this.video;
      $('stage-box').style.aspectRatio = `${w} / ${h}`;
      $('stage-box').style.maxWidth = `${(76 * w) / h}vh`;
    });
    for (const e of ['timeupdate', 'seeked', 'pause', 'play', 'loadeddata']) this.video.addEventListener(e, () => this.tick());
    this.transport();
    this.draw();
    this.keys();
    this.list();
  }

  open() {
    if (!this.playback.path) this.playback.load(this.video.dataset.src).catch((e) => showProblem($('clip-problem'), e));
  }

  transport() {
    const v = this.video;
    $('mark-play').addEventListener('click', () => this.toggle());
    $('seek').addEventListener('input', () => { v.pause(); v.currentTime = Number($('seek').value); });
    for (const b of document.querySelectorAll('[data-step]')) b.addEventListener('click', () => this.step(Number(b.dataset.step)));
    $('gone').addEventListener('click', () => { v.pause(); this.put({ at: this.now(), gone: true }); });
    $('numbers').addEventListener('submit', (e) => {
      e.preventDefault();
      const f = e.target.elements, part = (n) => Math.min(1, Math.max(0, Number(f[n].value) / 100));
      const r = { x: part('x'), y: part('y'), w: part('w'), h: part('h') };
      r.w = Math.min(r.w, 1 - r.x);
      r.h = Math.min(r.h, 1 - r.y);
      if (r.w >= 0.005 && r.h >= 0.005) this.put({ at: this.now(), rect: r });
    });
  }

  toggle() { if (this.video.paused) this.video.play().catch((e) => showProblem($('clip-problem'), e)); else this.video.pause(); }

  step(s) {
    this.video.pause();
    this.video.currentTime = Math.min(this.video.duration || 0, Math.max(0, this.video.currentTime + s));
  }

  now() { return tenth(this.video.currentTime); }

  keys() { // on the picture: space plays, arrows step, shift with arrows by a second
    this.overlay.addEventListener('keydown', (e) => {
      if (e.key === ' ') this.toggle();
      else if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') this.step((e.key === 'ArrowLeft' ? -1 : 1) * (e.shiftKey ? 1 : 0.1));
      else return;
      e.preventDefault();
    });
  }

  draw() {
    const o = this.overlay;
    const at = (e) => {
      const r = o.getBoundingClientRect();
      return { x: Math.min(1, Math.max(0, (e.clientX - r.left) / r.width)), y: Math.min(1, Math.max(0, (e.clientY - r.top) / r.height)) };
    };
    const rect = (a, b) => ({ x: tenth(Math.min(a.x, b.x)), y: tenth(Math.min(a.y, b.y)), w: tenth(Math.abs(a.x - b.x)), h: tenth(Math.abs(a.y - b.y)) });
    let from = null;
    o.addEventListener('pointerdown', (e) => {
      if (e.button) return;
      e.preventDefault();
      o.focus({ preventScroll: true });
      this.video.pause();
      from = at(e);
      o.setPointerCapture(e.pointerId);
    });
    o.addEventListener('pointermove', (e) => { if (from) this.showBox(rect(from, at(e)), 'drawing'); });
    o.addEventListener('pointerup', (e) => {
      if (!from) return;
      const r = rect(from, at(e));
      from = null;
      if (r.w < 0.01 || r.h < 0.01) { this.tick(); return; } // a tap, not a box
      r.w = Math.min(r.w, 1 - r.x);
      r.h = Math.min(r.h, 1 - r.y);
      this.put({ at: this.now(), rect: r });
    });
    o.addEventListener('pointercancel', () => { from = null; this.tick(); });
  }

  showBox(r, how) {
    this.box.hidden = !r;
    if (!r) return;
    this.box.className = `box ${how}`;
    for (const [side, v] of [['left', r.x], ['top', r.y], ['width', r.w], ['height', r.h]]) this.box.style[side] = `${v * 100}%`;
  }

  put(k) {
    this.keyframes = this.keyframes.filter((x) => Math.abs(x.at - k.at) > near);
    this.keyframes.push(k);
    this.keyframes.sort((a, b) => a.at - b.at);
    this.changed();
  }

  changed() {
    this.list();
    this.tick();
    this.dispatchEvent(new Event('change'));
  }

  get ready() { return this.keyframes.some((k) => k.rect); }

  get subject() { return { version: 1, keyframes: this.keyframes }; }

  tick() {
    const now = this.video.currentTime;
    if (document.activeElement !== $('seek') || !this.video.paused) $('seek').value = now;
    $('clock').textContent = `${number.format(now)} s`;
    $('mark-play').textContent = this.video.paused ? '▶' : '❚❚';
    $('mark-play').setAttribute('aria-label', this.video.paused ? t('mark.play') : t('mark.pause'));
    const here = this.keyframes.find((k) => Math.abs(k.at - now) <= near);
    const last = this.keyframes.findLast((k) => k.at <= now + near);
    const k = here ?? last;
    this.showBox(k?.rect, here ? 'here' : 'before');
    for (const li of $('keyframes').children) li.classList.toggle('here', Number(li.dataset.at) === here?.at);
    if (here?.rect && document.activeElement?.form?.id !== 'numbers') {
      for (const n of 'xywh') $('numbers').elements[n].value = Math.round(here.rect[n] * 1000) / 10;
    }
  }

  list() {
    const rows = this.keyframes.map((k, i) => el('li', { 'data-at': String(k.at) },
      el('button', { type: 'button', className: 'goto', onclick: () => { this.video.pause(); this.video.currentTime = k.at; } },
        `${number.format(k.at)} s – ${k.gone ? t('mark.isgone') : t('mark.isbox')}`),
      el('button', { type: 'button', className: 'quiet', 'data-testid': `remove-keyframe-${i}`, 'aria-label': t('mark.removeat', number.format(k.at)),
        onclick: () => { this.keyframes = this.keyframes.filter((x) => x !== k); this.changed(); } }, t('mark.remove'))));
    $('keyframes').replaceChildren(...(rows.length ? rows : [el('li', { className: 'empty' }, t('mark.none'))]));
  }
}
