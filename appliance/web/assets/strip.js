// Small pictures of what was recorded: a strip above the time line, and one that
// follows the pointer. They are single pictures; nothing is played.
import { ask, clockOf, el, iso, t } from './api.js';

const kept = new Map(); // address -> promise of an object URL, the oldest first
const most = 200;
const least = 12; // pixels of a piece that is worth a picture

/** thumb fetches the picture at a time, once; null where nothing was recorded. */
export function thumb(cam, ms, width) {
  const path = `/api/v1/cameras/${cam}/picture.jpg?at=${iso(new Date(ms))}&width=${width}`;
  if (!kept.has(path)) {
    const made = ask(path).then(async (a) => (a.status === 204 ? null : URL.createObjectURL(await a.blob())));
    made.catch(() => kept.delete(path)); // it may come later
    kept.set(path, made);
    if (kept.size > most) {
      const [old, url] = kept.entries().next().value;
      kept.delete(old);
      url.then((u) => u && URL.revokeObjectURL(u), () => { /* it was none */ });
    }
  }
  return kept.get(path);
}

// inside moves a time to the next whole second that a run surely has.
function inside(r, ms) {
  const first = Math.ceil(r.from / 1000) * 1000, last = Math.floor(r.to / 1000) * 1000 - 1000;
  return last < first ? null : Math.min(Math.max(Math.floor(ms / 1000) * 1000, first), last);
}

export class Strip {
  constructor(root, cam, line, picked) {
    Object.assign(this, { root, cam, line, picked });
    this.preview = el('div', { className: 'preview', hidden: true, 'aria-hidden': 'true' }, el('img', { alt: '' }), el('span'));
    line.root.append(this.preview);
    line.root.addEventListener('pointermove', (e) => this.hover(e));
    for (const end of ['pointerleave', 'pointercancel']) line.root.addEventListener(end, () => this.leave());
    line.root.addEventListener('pointerup', (e) => { if (e.pointerType !== 'mouse') this.leave(); });
  }

  // pieces are what is recorded of a cell, so that no picture covers a gap: each
  // with a moment of it, which is the cell's middle, or else where the piece
  // begins; that stays while the newest cell fills.
  pieces(from, to) {
    const mid = (from + to) / 2, all = [];
    for (const r of this.line.recorded) {
      const a = Math.max(r.from, from), b = Math.min(r.to, to);
      if (b <= a) continue;
      const at = inside(r, mid >= a && mid <= r.to - 2000 ? mid : a);
      all.push({ from: a, to: b, at: at !== null && at >= a && at < b ? at : null });
    }
    return all;
  }

  /** show fills the strip for the shown span; cells keep their places in time,
   *  so that the same pictures serve while the line moves. */
  show() {
    const { from, to } = this.line, width = this.root.clientWidth;
    if (!width) return;
    const step = ((to - from) / Math.max(3, Math.floor(width / 118))) || 1;
    const first = Math.floor(from / step) * step;
    const old = new Map([...this.root.children].map((c) => [c.dataset.cell, c]));
    const cells = [];
    for (let at = first; at < to; at += step) {
      for (const p of this.pieces(at, at + step)) {
        const px = ((p.to - p.from) / (to - from)) * width, moment = px < least ? null : p.at;
        const key = `${step} ${at} ${moment ?? `- ${p.from}`}`, cell = old.get(key) ?? this.cell(key, moment);
        cell.dataset.from = p.from;
        cell.dataset.to = p.to;
        if (moment !== null) cell.dataset.at = moment;
        cells.push(cell);
      }
    }
    if (cells.length !== this.root.childElementCount || cells.some((c, i) => c !== this.root.children[i])) this.root.replaceChildren(...cells);
    this.place();
  }

  place() {
    for (const c of this.root.children) {
      c.style.left = `${this.line.at(Number(c.dataset.from))}%`;
      c.style.width = `${this.line.at(Number(c.dataset.to)) - this.line.at(Number(c.dataset.from))}%`;
    }
  }

  cell(key, moment) {
    // Too narrow for a picture: recorded, and nothing to press.
    if (moment === null) return el('span', { className: 'thumb', 'data-cell': key });
    const b = el('button', { type: 'button', className: 'thumb', 'data-cell': key, tabIndex: -1 });
    b.setAttribute('aria-label', t('strip.pick', clockOf(moment)));
    b.addEventListener('click', () => this.picked(moment));
    thumb(this.cam, moment, 160).then((url) => {
      if (url) b.replaceChildren(el('img', { src: url, alt: '' }));
    }, () => { /* the strip is a help; the line says what there is */ });
    return b;
  }

  hover(e) {
    const at = this.line.ms(e), x = this.line.at(at);
    const run = this.line.recorded.find((r) => at >= r.from && at <= r.to), moment = run ? inside(run, at) : null;
    this.preview.hidden = moment === null;
    if (moment === null) return;
    const share = this.preview.offsetWidth / 2 / this.line.root.clientWidth * 100;
    this.preview.style.left = `${Math.min(100 - share, Math.max(share, x))}%`;
    this.preview.lastChild.textContent = clockOf(at);
    clearTimeout(this.wait);
    this.wait = setTimeout(async () => {
      const mine = this.asked = {};
      try {
        const url = await thumb(this.cam, moment, 320);
        if (this.asked === mine && url) this.preview.firstChild.src = url;
      } catch { /* the strip is a help */ }
    }, 90);
  }

  leave() {
    clearTimeout(this.wait);
    this.preview.hidden = true;
  }
}
