// The time line: what is recorded, what is picked. Two handles, a drag across
// the line, or the arrow keys.
import { el, t, clockOf, dayOf, minuteOf, seconds } from './api.js';

const ticksEvery = { 10: 2, 60: 10, 360: 60, 1440: 240, 10080: 1440 }; // minutes
const most = 30 * 60e3; // ms that can be picked at once

export class Timeline extends EventTarget {
  /** from, to: the shown span; pick: {from, to} or null; all in ms since 1970 */
  constructor(root) {
    super();
    this.root = root;
    this.pick = null;
    this.recorded = [];
    this.cases = [];
    this.track = el('div', { className: 'track' });
    this.ticks = el('div', { className: 'ticks', 'aria-hidden': 'true' });
    this.picked = el('div', { className: 'picked', hidden: true });
    this.a = this.handle('from', t('camera.from'));
    this.b = this.handle('to', t('camera.to'));
    root.append(this.track, this.picked, this.a, this.b, this.ticks);
    root.addEventListener('pointerdown', (e) => this.down(e));
    root.addEventListener('pointermove', (e) => this.move(e));
    for (const end of ['pointerup', 'pointercancel']) root.addEventListener(end, () => this.up());
  }

  handle(side, label) {
    const h = el('div', { className: `handle ${side}`, tabIndex: 0, hidden: true, role: 'slider', 'aria-label': label, 'data-side': side, 'data-testid': `handle-${side}` });
    h.addEventListener('keydown', (e) => {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -60, PageUp: 60 }[e.key];
      if (!step || !this.pick) return;
      e.preventDefault();
      this.set({ ...this.pick, [side]: this.pick[side] + step * (e.shiftKey ? 10 : 1) * 1000 }, side);
      this.tell(true);
    });
    return h;
  }

  show(from, to, minutes) {
    Object.assign(this, { from, to, minutes });
    this.draw();
  }

  fill(line) {
    const span = (s) => ({ from: Date.parse(s.from), to: Date.parse(s.to) });
    this.recorded = (line.recorded ?? []).map(span);
    this.cases = (line.cases ?? []).map((c) => ({ id: c.id, ...span(c.span) }));
    this.draw();
  }

  at(ms) { return ((ms - this.from) / (this.to - this.from)) * 100; }

  place(node, from, to) {
    const a = Math.max(0, this.at(from)), b = Math.min(100, this.at(to));
    node.style.left = `${a}%`;
    node.style.width = `${Math.max(0, b - a)}%`;
    return b > a;
  }

  draw() {
    const bars = [];
    for (const r of this.recorded) {
      const bar = el('div', { className: 'rec' });
      if (this.place(bar, r.from, r.to)) bars.push(bar);
    }
    for (const c of this.cases) {
      const bar = el('a', { className: 'casemark', href: `/cases/${c.id}`, title: t('timeline.case'), 'aria-label': t('timeline.case') });
      if (this.place(bar, c.from, c.to)) bars.push(bar);
    }
    this.track.replaceChildren(...bars);
    const every = ticksEvery[this.minutes] * 60e3, marks = [];
    for (let at = Math.ceil(this.from / every) * every; at <= this.to; at += every) {
      const x = this.at(at);
      if (x < 3 || x > 97) continue;
      const mark = el('span', {}, this.minutes > 1440 ? dayOf(at) : minuteOf(at));
      mark.style.left = `${x}%`;
      marks.push(mark);
    }
    this.ticks.replaceChildren(...marks);
    this.drawPick();
  }

  drawPick() {
    const p = this.pick;
    this.picked.hidden = this.a.hidden = this.b.hidden = !p;
    if (!p) return;
    this.picked.hidden = !this.place(this.picked, p.from, p.to);
    for (const [h, ms] of [[this.a, p.from], [this.b, p.to]]) {
      const x = this.at(ms);
      h.hidden = x < 0 || x > 100;
      h.style.left = `${x}%`;
      h.setAttribute('aria-valuemin', Math.round(this.from / 1000));
      h.setAttribute('aria-valuemax', Math.round(this.to / 1000));
      h.setAttribute('aria-valuenow', Math.round(ms / 1000));
      h.setAttribute('aria-valuetext', clockOf(ms));
    }
    this.picked.title = seconds((p.to - p.from) / 1000);
  }

  /** set changes the pick and keeps it in order and within bounds. */
  set(pick, moved = 'to') {
    let { from, to } = pick;
    if (to - from < 1000) { if (moved === 'from') from = to - 1000; else to = from + 1000; }
    if (to - from > most) { if (moved === 'from') from = to - most; else to = from + most; }
    this.pick = { from: Math.round(from / 1000) * 1000, to: Math.round(to / 1000) * 1000 };
    this.drawPick();
  }

  tell(done) { this.dispatchEvent(new CustomEvent('pick', { detail: { ...this.pick, done } })); }

  ms(e) {
    const r = this.root.getBoundingClientRect();
    return this.from + Math.min(1, Math.max(0, (e.clientX - r.left) / r.width)) * (this.to - this.from);
  }

  down(e) {
    if (e.button || e.target.closest('a')) return;
    e.preventDefault();
    this.root.setPointerCapture(e.pointerId);
    const side = e.target.dataset?.side;
    if (side) e.target.focus();
    this.drag = { side, start: this.ms(e), x: e.clientX };
  }

  move(e) {
    const d = this.drag;
    if (!d) return;
    if (Math.abs(e.clientX - d.x) > 4) d.moved = true;
    if (!d.moved) return;
    const at = this.ms(e);
    if (d.side) this.set({ ...this.pick, [d.side]: at }, d.side);
    else this.set({ from: Math.min(d.start, at), to: Math.max(d.start, at) }, at < d.start ? 'from' : 'to');
    this.tell(false);
  }

  up() {
    const d = this.drag;
    this.drag = null;
    if (!d) return;
    if (!d.moved && !d.side) { // a tap: half a minute to each side of it
      const half = Math.min(30e3, this.minutes * 60e3 / 10);
      this.set({ from: d.start - half, to: Math.min(d.start + half, Date.now()) });
    }
    if (this.pick) this.tell(true);
  }
}
