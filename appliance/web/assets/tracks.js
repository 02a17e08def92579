// Following the people who are marked: the box keeps the clip and answers; what
// it was sure of, in doubt of or wants looked at stands under the picture.
import { ask, during, el, getJSON, Problem, say, seconds, send, showProblem, t } from './api.js';

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const pause = (ms) => new Promise((r) => { setTimeout(r, ms); });
const colours = ['', '255,210,74', '74,210,255', '255,122,217', '141,255,106', '255,160,90', '180,160,255', '120,240,220', '240,240,240'];
const ahead = 10; // seconds of shapes asked for at once
const shortest = 0.25; // seconds: a shorter doubt is no stretch to ask a person for

export class Follower extends EventTarget {
  constructor(marker, path) {
    super();
    Object.assign(this, { marker, path, tracks: null, key: '', stale: false, asked: null, run: 0, working: null, parts: new Map() });
    this.canvas = $('shapes');
    marker.addEventListener('begin', () => this.open(), { once: true });
    marker.addEventListener('tick', () => this.draw());
    marker.addEventListener('change', () => this.edited());
    $('follow').addEventListener('click', () => this.follow());
    addEventListener('pagehide', () => { if (this.opened) fetch(`${path}/marking`, { method: 'DELETE', keepalive: true, credentials: 'same-origin' }).catch(() => { /* it closes by itself */ }); });
    this.edited();
  }

  /** early opens ahead of the first act, so that who is found can be pressed at
   * once. Where the box cannot, it is told when somebody begins. */
  early() { this.open(true); }

  /** open has the box take the clip into memory, while the first box is drawn. */
  open(quietly = false) {
    this.opening ??= this.wait(() => send('POST', `${this.path}/marking`)).then((v) => {
      this.opened = true;
      this.marker.finds = v.detects;
      this.marker.look();
      this.edited(); // the clip is read: what is to be done next is said again
      return v;
    }).catch((e) => {
      this.opening = null;
      if (e.code === 'marking.off') { $('follow').hidden = true; $('follow-says').textContent = t('follow.off'); return null; }
      throw e;
    });
    this.opening.catch((e) => { if (!quietly) showProblem($('follow-problem'), e); });
    return this.opening;
  }

  /** wait asks until the box has done what it was asked for. */
  async wait(first) {
    let v = await first();
    while (v.state === 'opening' || v.state === 'tracking') {
      this.progress(v);
      await pause(v.state === 'opening' ? 300 : 120);
      v = await getJSON(`${this.path}/marking`);
    }
    $('follow-bar').hidden = true;
    if (v.problem) throw new Problem(0, v.problem.code, say(v.problem.cause), say(v.problem.remedy));
    return v;
  }

  progress(v) {
    if (!this.working && v.state === 'opening') { $('follow-says').textContent = t('follow.opening'); return; }
    const p = v.progress, bar = $('follow-bar');
    bar.hidden = false;
    if (p?.total > 0) bar.value = (100 * p.done) / p.total; else bar.removeAttribute('value');
    $('follow-says').textContent = v.state === 'opening' ? t('follow.opening') : t('follow.working');
  }

  /** follow tracks the people as they are marked now. */
  follow() {
    this.working ??= during($('follow'), $('follow-problem'), async () => {
      const subjects = this.marker.subjects;
      $('doubt').hidden = true;
      await this.open();
      let v;
      try {
        v = await this.wait(() => send('PUT', `${this.path}/marking`, { subjects }));
      } catch (e) {
        if (e.code !== 'marking.closed') throw e;
        this.opening = null; // closed while nobody used it
        await this.open();
        v = await this.wait(() => send('PUT', `${this.path}/marking`, { subjects }));
      }
      if (!v.tracks) throw new Problem(0, 'marking', t('follow.failed'), t('js.tryagain'));
      this.tracks = v.tracks;
      this.run = v.run;
      this.parts.clear();
      this.marker.tracked = true;
      this.marker.doubting = false;
      this.marker.look();
      this.key = JSON.stringify(subjects);
      $('follow-says').textContent = v.tracks.walked > 0
        ? t('follow.done', seconds(Math.max(0.1, Math.round(v.tracks.took * 10) / 10)), v.tracks.walked, v.tracks.frames) : t('follow.same');
      this.show();
    }).finally(() => { this.working = null; $('follow-bar').hidden = true; this.edited(); });
    return this.working;
  }

  /** edited follows what people do on the page; where they answer a doubt, the box follows again at once. */
  edited() {
    const subjects = this.marker.subjects, ready = this.marker.ready;
    if (this.tracks && subjects.length !== this.tracks.subjects.length) {
      this.tracks = null;
      this.marker.tracked = false;
      this.show();
    }
    this.stale = Boolean(this.tracks) && JSON.stringify(subjects) !== this.key;
    const again = this.stale && this.asked && ready && !this.working;
    $('follow').disabled = !ready || Boolean(this.working);
    $('follow').classList.toggle('primary', ready && (!this.tracks || this.stale));
    if (!this.working) {
      if (!ready) $('follow-says').textContent = t('follow.first');
      else if (!this.tracks) $('follow-says').textContent = t('follow.ready');
      else if (this.stale && !again) $('follow-says').textContent = t('follow.again');
    }
    this.draw();
    if (again) { this.asked = null; this.follow(); }
  }

  /** doubts are the stretches that a person should look at, by time. */
  get doubts() {
    const all = [];
    (this.tracks?.subjects ?? []).forEach((s, who) => s.spans.forEach((p) => {
      if ((p.what === 'unsure' && p.to - p.from >= shortest && !p.reasons.every((r) => r === 'always-veiled')) || p.what === 'flagged') all.push({ ...p, who });
    }));
    return all.sort((a, b) => (a.what === 'flagged') - (b.what === 'flagged') || a.from - b.from); // doubt first
  }

  show() {
    const box = $('tracks');
    box.hidden = !this.tracks;
    if (!this.tracks) { this.draw(); return; }
    const length = this.tracks.length || 1, doubts = this.doubts, unsure = doubts.filter((d) => d.what === 'unsure');
    box.replaceChildren(
      ...this.tracks.subjects.map((s, i) => el('div', { className: 'trackrow' },
        el('span', { className: 'trackname' }, el('span', { className: 'dot', 'data-who': i + 1 }), t('mark.person', i + 1)),
        this.line(s, i, length))),
      el('p', { className: unsure.length > 0 ? 'warn' : 'good', 'data-testid': 'tracks-say' }, unsure.length > 0 ? (unsure.length === 1 ? t('doubt.one') : t('doubt.some', unsure.length)) : `✓ ${t('doubt.none')}`),
      el('div', { className: 'doubts' }, ...doubts.slice(0, 60).map((d) => el('button', { type: 'button', className: d.what, 'data-testid': `doubt-${d.what}`, onclick: () => this.jump(d) },
        el('span', { className: 'dot', 'data-who': d.who + 1 }), `${number.format(d.from)}–${number.format(d.to)} s · ${t(`what.${d.what}`)}`))),
      el('p', { className: 'legend hint' }, ...['shown', 'flagged', 'unsure', 'gone'].flatMap((w) => [el('span', { className: `key ${w}` }), `${t(`legend.${w}`)} `])));
    this.draw();
  }

  line(s, who, length) {
    const line = el('div', { className: 'trackline', 'data-who': who + 1, onclick: (e) => {
      if (e.target !== line) return;
      const r = line.getBoundingClientRect();
      this.marker.go((length * (e.clientX - r.left)) / r.width);
    } });
    for (const p of s.spans) {
      if (p.what === 'gone') continue;
      const look = p.what !== 'shown';
      const e = el(look ? 'button' : 'span', { className: `run ${p.what}`, ...(look && { type: 'button', 'aria-label': `${number.format(p.from)}–${number.format(p.to)} s: ${t(`what.${p.what}`)}`, onclick: () => this.jump({ ...p, who }) }) });
      if (!look) e.addEventListener('click', (c) => { const r = line.getBoundingClientRect(); this.marker.go((length * (c.clientX - r.left)) / r.width); });
      e.style.left = `${(100 * p.from) / length}%`;
      e.style.width = `${(100 * (p.to - p.from)) / length}%`;
      line.append(e);
    }
    line.append(el('span', { className: 'playhead' }));
    return line;
  }

  /** jump goes to a stretch and says what is wanted there. */
  jump(d) {
    const m = this.marker, unsure = d.what === 'unsure';
    m.doubting = unsure;
    m.choose(d.who);
    m.go(unsure ? (d.from + d.to) / 2 : d.from + 0.02);
    this.asked = unsure ? d : null;
    const why = unsure ? d.reasons.map((r) => t(`reason.${r}`)) : d.flags.map((f) => t(`flag.${f}`));
    $('doubt').hidden = false;
    $('doubt').className = `doubt ${d.what}`;
    $('doubt').replaceChildren(
      el('p', { className: 'big' }, m.people.length > 1 ? el('span', { className: 'dot', 'data-who': d.who + 1 }) : null, m.people.length > 1 ? ` ${t('mark.person', d.who + 1)}. ` : null, unsure ? t('doubt.ask') : t('doubt.look')),
      why.length > 0 ? el('p', {}, why.join('. '), '.') : null,
      el('div', { className: 'bar' },
        el('button', { type: 'button', 'data-testid': 'doubt-gone', onclick: () => { this.asked = d; m.put({ at: m.now(), gone: true }); } }, t('mark.gone')),
        el('button', { type: 'button', className: 'quiet', 'data-testid': 'doubt-leave', onclick: () => { this.asked = null; m.doubting = false; m.look(); $('doubt').hidden = true; } }, unsure ? t('doubt.leave') : t('doubt.fine'))));
    $('stage-box').scrollIntoView({ block: 'center' });
  }

  /** part returns what is shown around a time, or asks the box for it. */
  part(at) {
    const key = Math.floor(at / ahead);
    if (!this.parts.has(key)) {
      const run = this.run;
      this.parts.set(key, null);
      getJSON(`${this.path}/marking/shapes?from=${key * ahead}&to=${(key + 1) * ahead}`).then((v) => {
        if (run !== this.run || v.run !== run) return;
        this.parts.set(key, v);
        this.draw();
      }).catch(() => { /* the boxes say where the person is */ });
    }
    return this.parts.get(key);
  }

  /** draw puts what will be shown over the picture. */
  draw() {
    const c = this.canvas, g = c.getContext('2d'), now = this.marker.video.currentTime;
    for (const h of document.querySelectorAll('.playhead')) h.style.left = `${(100 * now) / (this.tracks?.length || 1)}%`;
    const v = this.tracks && !this.stale ? this.part(now) : null;
    c.hidden = !v;
    if (!v) return;
    if (c.width !== v.width) { c.width = v.width; c.height = v.height; }
    g.clearRect(0, 0, c.width, c.height);
    const f = v.frames.findLast((x) => x.at <= now + 0.02) ?? v.frames[0];
    f?.subjects.forEach((runs, i) => {
      g.fillStyle = `rgb(${colours[i + 1]},.4)`;
      for (let k = 0; k + 2 < runs.length; k += 3) g.fillRect(runs[k + 1] * v.block, runs[k] * v.block, (runs[k + 2] - runs[k + 1]) * v.block, v.block);
    });
  }

  async close() {
    this.opened = false;
    await ask(`${this.path}/marking`, { method: 'DELETE' });
  }
}
