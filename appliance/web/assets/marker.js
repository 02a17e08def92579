// Marking people: boxes drawn on the paused clip, or people that the box has
// found, become keyframes of the person that is chosen.
import { el, getJSON, showProblem, t } from './api.js';
import { drawing, place } from './draw.js';
import { Playback } from './play.js';

const near = 0.06; // seconds: a keyframe this close is the one on the screen
const tenth = (n) => Math.round(n * 1000) / 1000;
const number = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const $ = (id) => document.getElementById(id);
export const peopleMost = 8;

export class Marker extends EventTarget {
  constructor(subjects, path) {
    super();
    this.path = path;
    this.people = (subjects ?? []).map((s) => (s.keyframes ?? []).map((k) => ({ ...k })));
    if (this.people.length === 0) this.people.push([]);
    this.who = 0;
    this.crop = null; // called with a rectangle while one is drawn for the still
    this.video = $('clip');
    this.playback = new Playback(this.video, $('clip-making'), $('clip-problem'));
    this.overlay = $('overlay');
    this.boxes = el('div');
    this.found = el('div');
    this.drawn = el('div', { className: 'box drawing', hidden: true });
    this.overlay.append(this.found, this.boxes, this.drawn);
    this.video.addEventListener('loadedmetadata', () => {
      $('seek').max = this.video.duration;
      const { videoWidth: w, videoHeight: h } = this.video;
      $('stage-box').style.aspectRatio = `${w} / ${h}`;
      $('stage-box').style.maxWidth = `${(76 * w) / h}vh`;
    });
    for (const e of ['timeupdate', 'seeked', 'pause', 'play', 'loadeddata']) this.video.addEventListener(e, () => this.tick());
    for (const e of ['seeked', 'pause']) this.video.addEventListener(e, () => this.look());
    this.transport();
    drawing(this.overlay, {
      begin: () => { this.video.pause(); this.begun(); },
      move: (r) => { this.drawn.hidden = false; this.drawn.dataset.who = this.crop ? 'crop' : this.who + 1; place(this.drawn, r); },
      done: (r) => { this.drawn.hidden = true; if (this.crop) this.crop(r); else this.put({ at: this.now(), rect: r }); },
      tap: () => { this.drawn.hidden = true; this.tick(); },
      cancel: () => { this.drawn.hidden = true; this.tick(); },
    });
    this.keys();
    this.list();
  }

  open() {
    if (!this.playback.path) this.playback.load(this.video.dataset.src).catch((e) => showProblem($('clip-problem'), e));
  }

  /** begun tells that somebody has started to work on the clip. */
  begun() { this.dispatchEvent(new Event('begin')); }

  transport() {
    const v = this.video;
    $('mark-play').addEventListener('click', () => { this.begun(); this.toggle(); });
    $('seek').addEventListener('input', () => { this.begun(); v.pause(); v.currentTime = Number($('seek').value); });
    for (const b of document.querySelectorAll('[data-step]')) b.addEventListener('click', () => { this.begun(); this.step(Number(b.dataset.step)); });
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

  step(s) { this.go(this.video.currentTime + s); }

  go(at) {
    this.video.pause();
    this.video.currentTime = Math.min(this.video.duration || 0, Math.max(0, at));
  }

  now() { return tenth(this.video.currentTime); }

  keys() { // on the picture: space plays, arrows step, shift with arrows by a second
    this.overlay.addEventListener('keydown', (e) => {
      if (e.target !== this.overlay) return;
      if (e.key === ' ') this.toggle();
      else if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') this.step((e.key === 'ArrowLeft' ? -1 : 1) * (e.shiftKey ? 1 : 0.1));
      else return;
      e.preventDefault();
    });
  }

  /** choose makes a person the one that is marked. */
  choose(who) {
    this.who = who;
    this.list();
    this.tick();
    this.look();
  }

  add() {
    if (this.people.length >= peopleMost) return;
    this.people.push([]);
    this.choose(this.people.length - 1);
    this.dispatchEvent(new Event('change'));
  }

  drop(who) {
    this.people.splice(who, 1);
    this.choose(Math.min(this.who, this.people.length - 1));
    this.dispatchEvent(new Event('change'));
  }

  put(k) {
    const all = this.people[this.who].filter((x) => Math.abs(x.at - k.at) > near);
    all.push(k);
    all.sort((a, b) => a.at - b.at);
    this.people[this.who] = all;
    this.changed();
  }

  changed() {
    this.doubting = false;
    this.list();
    this.tick();
    this.dispatchEvent(new Event('change'));
  }

  get ready() { return this.subjects.length > 0 && this.people.every((p) => p.length === 0 || p.some((k) => k.rect)); }

  /** subjects are the people who are marked, as the box takes them. */
  get subjects() { return this.people.filter((p) => p.length > 0).map((keyframes) => ({ version: 1, keyframes })); }

  /** look asks who can be clicked in the picture that is shown. */
  async look() {
    this.found.replaceChildren();
    $('found-says').hidden = true;
    // Who is followed already needs no frame, but where the box is in doubt.
    const done = this.tracked && this.people[this.who].length > 0 && !this.doubting;
    if (!this.finds || done || !this.video.paused || this.video.seeking) return;
    const at = this.now(), run = (this.looks = (this.looks ?? 0) + 1);
    let all;
    try {
      all = await getJSON(`${this.path}/marking/people?at=${at}`);
    } catch { return; } // it only saves a drawing
    if (run !== this.looks || !this.video.paused || this.now() !== at) return;
    const people = all.filter((p) => p.kind === 'person');
    $('found-says').hidden = people.length === 0;
    this.found.replaceChildren(...people.map((p, i) => {
      const b = el('button', { type: 'button', className: 'found', 'data-testid': `found-${i}`, 'aria-label': t('mark.foundone', i + 1),
        onclick: () => this.put({ at, rect: { x: tenth(p.rect.x), y: tenth(p.rect.y), w: tenth(Math.min(p.rect.w, 1 - p.rect.x)), h: tenth(Math.min(p.rect.h, 1 - p.rect.y)) } }) });
      place(b, p.rect);
      return b;
    }));
  }

  tick() {
    const now = this.video.currentTime;
    if (document.activeElement !== $('seek') || !this.video.paused) $('seek').value = now;
    $('clock').textContent = `${number.format(now)} s`;
    $('mark-play').textContent = this.video.paused ? '▶' : '❚❚';
    $('mark-play').setAttribute('aria-label', this.video.paused ? t('mark.play') : t('mark.pause'));
    if (!this.video.paused) this.found.replaceChildren();
    this.boxes.replaceChildren(...this.people.map((all, i) => {
      const here = all.find((k) => Math.abs(k.at - now) <= near), k = here ?? (this.tracked ? null : all.findLast((x) => x.at <= now + near));
      if (!k?.rect) return null;
      const b = el('div', { className: `box ${here ? 'here' : 'before'}${i === this.who ? ' mine' : ''}`, 'data-who': i + 1 },
        this.people.length > 1 ? el('span', { className: 'tag' }, i + 1) : null);
      place(b, k.rect);
      return b;
    }).filter(Boolean));
    const here = this.people[this.who].find((k) => Math.abs(k.at - now) <= near);
    for (const li of $('keyframes').children) li.classList.toggle('here', Number(li.dataset.at) === here?.at);
    if (here?.rect && document.activeElement?.form?.id !== 'numbers') {
      for (const n of 'xywh') $('numbers').elements[n].value = Math.round(here.rect[n] * 1000) / 10;
    }
    this.dispatchEvent(new Event('tick'));
  }

  list() {
    $('people').replaceChildren(...this.people.map((_, i) => el('span', { className: 'personrow' },
      el('button', { type: 'button', className: 'chooser', 'data-who': i + 1, 'aria-pressed': String(i === this.who), 'data-testid': `person-${i + 1}`, onclick: () => this.choose(i) },
        el('span', { className: 'dot', 'data-who': i + 1 }), t('mark.person', i + 1)),
      this.people.length > 1 ? el('button', { type: 'button', className: 'plainx', 'aria-label': t('mark.dropperson', i + 1), 'data-testid': `drop-${i + 1}`, onclick: () => this.drop(i) }, '✕') : null)),
    el('button', { type: 'button', className: 'quiet', id: 'add-person', 'data-testid': 'add-person', hidden: this.people.length >= peopleMost || this.people.at(-1).length === 0, onclick: () => this.add() }, t('mark.addperson')));
    const all = this.people[this.who];
    const rows = all.map((k, i) => el('li', { 'data-at': String(k.at) },
      el('button', { type: 'button', className: 'goto', onclick: () => this.go(k.at) },
        `${number.format(k.at)} s – ${k.gone ? t('mark.isgone') : t('mark.isbox')}`),
      el('button', { type: 'button', className: 'quiet', 'data-testid': `remove-keyframe-${i}`, 'aria-label': t('mark.removeat', number.format(k.at)),
        onclick: () => { this.people[this.who] = all.filter((x) => x !== k); this.changed(); } }, t('mark.remove'))));
    $('keyframes').replaceChildren(...(rows.length > 0 ? rows : [el('li', { className: 'empty' }, t('mark.none'))]));
  }
}
