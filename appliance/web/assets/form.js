// The answers, saved while they are written and merged where somebody else saved
// in between. Nothing that was typed is lost: what could not be saved is tried
// again, and kept in this window until it is.
import { change, flat } from './answers.js';
import { el, getJSON, minuteOf, Problem, say, send, t, whenOf } from './api.js';
import { merge, same, settle } from './merge.js';

const $ = (id) => document.getElementById(id);
const after = 800; // ms from the last key to the save
const retries = [2, 4, 8, 15, 30]; // seconds

export class Answers extends EventTarget {
  /** parts hold answers that are no plain field: {fill(answers), read()}. */
  constructor(c, path, parts) {
    super();
    Object.assign(this, { current: c, path, parts, form: $('evidence-form'), base: flat(c), both: [], failures: 0, dirty: false, bad: false });
    // Of this person alone: another who logs in at the same window starts anew.
    this.key = `veilbox-answers-${c.id}-${document.querySelector('.me')?.textContent ?? ''}`;
    this.fill(this.base);
    this.form.addEventListener('input', (e) => { if (!e.target.closest('[data-apart]')) this.typed(); });
    this.form.addEventListener('submit', (e) => { e.preventDefault(); this.flush(); });
    addEventListener('online', () => { if (this.dirty) this.save(); });
    addEventListener('pagehide', () => this.leave());
    document.addEventListener('visibilitychange', () => { if (document.hidden) this.leave(); });
    addEventListener('beforeunload', (e) => {
      if (this.dirty && (this.bad || this.both.length > 0 || !this.may)) e.preventDefault();
    });
    this.restore();
  }

  get may() { return (this.current.may ?? []).includes('change'); }

  /** now is what the form holds. */
  get now() { return this.read(); }

  // What a window that closed badly, or a log-in that ran out, left behind.
  restore() {
    let left = null;
    try { left = JSON.parse(sessionStorage.getItem(this.key)); } catch { /* nothing that can be read was left */ }
    if (!left || left.v !== 1) return;
    const m = merge(left.base, left.mine, this.base);
    if (same(m.answers, this.base)) { sessionStorage.removeItem(this.key); return; }
    this.fill(m.answers);
    this.dirty = true;
    this.says(t('save.restored'));
    if (m.both.length > 0) this.ask(m.both, this.base, this.current); else this.soon();
  }

  keep() {
    try { sessionStorage.setItem(this.key, JSON.stringify({ v: 1, base: this.base, mine: this.read() })); } catch { /* a full store: the box still gets it */ }
  }

  fill(f) {
    const x = this.form.elements, now = this.filled ? this.read() : {};
    for (const [name, v] of Object.entries(f)) {
      if (this.filled && same(now[name], v)) continue; // never under a cursor
      if (typeof v === 'boolean' && x[name]) x[name].checked = v;
      else if (name === 'basis') for (const r of x.basis) r.checked = r.value === v;
      else if (!Array.isArray(v) && x[name] && name !== 'place' && name !== 'area') x[name].value = v;
    }
    for (const p of this.parts) p.fill(f);
    this.filled = true;
    this.dispatchEvent(new Event('filled'));
  }

  read() {
    const x = this.form.elements, f = {};
    for (const [name, v] of Object.entries(this.base)) {
      if (!x[name] || Array.isArray(v)) f[name] = v;
      else f[name] = typeof v === 'boolean' ? x[name].checked : x[name].value.trim();
    }
    return Object.assign(f, ...this.parts.map((p) => p.read()));
  }

  typed() {
    this.dirty = true;
    this.keep();
    this.says(this.may ? t('save.typing') : t('save.later'));
    this.dispatchEvent(new Event('typed'));
    this.soon();
  }

  soon(ms = after) {
    clearTimeout(this.timer);
    if (this.may && this.both.length === 0) this.timer = setTimeout(() => this.save(), ms);
  }

  says(text, kind = '') {
    const s = $('saved');
    s.textContent = text;
    s.className = `saved ${kind}`;
    s.dataset.state = kind;
  }

  /** flush saves now what is typed; false where it cannot be saved. */
  async flush() {
    if (this.dirty && this.may && this.both.length === 0) await this.save();
    return !this.dirty;
  }

  // The page goes: what is typed goes ahead of it.
  leave() {
    if (!this.dirty || !this.may || this.both.length > 0 || this.saving) return;
    this.keep();
    const mine = this.read(), body = JSON.stringify(change(mine, this.current));
    if (body.length > 60000) return; // more than a browser sends for a page that has gone; the window still has it
    clearTimeout(this.timer);
    this.saving = fetch(this.path, { method: 'PUT', body, keepalive: true, credentials: 'same-origin', headers: { 'Content-Type': 'application/json' } })
      .then(async (r) => { if (r.ok) this.took(await r.json(), mine); else this.soon(); })
      .catch(() => this.soon()) // the window still has it
      .finally(() => { this.saving = null; });
  }

  took(c, mine) {
    this.failures = 0;
    this.bad = false;
    this.current = c;
    this.base = flat(c);
    this.dirty = !same(this.read(), mine);
    if (this.dirty) { this.keep(); this.soon(); } else {
      sessionStorage.removeItem(this.key);
      this.says(t('save.saved', minuteOf(new Date())), 'good');
    }
    $('save-problem').replaceChildren();
    this.dispatchEvent(new Event('saved'));
  }

  async save() {
    clearTimeout(this.timer);
    if (this.saving) {
      await this.saving;
      if (!this.dirty) return;
    }
    this.saving = this.put();
    try { await this.saving; } finally { this.saving = null; }
  }

  async put() {
    const mine = this.read(), sent = change(mine, this.current);
    this.says(t('save.saving'));
    try {
      this.took(await send('PUT', this.path, sent), mine);
    } catch (e) {
      if (e instanceof Problem && e.status === 409) await this.behind(e);
      else this.failed(e);
    }
  }

  failed(e) {
    this.bad = true;
    const away = !(e instanceof Problem) || e.status === 0 || e.status >= 500 || e.status === 429;
    const cause = e instanceof Problem ? e.cause : t('js.broken');
    if (!(e instanceof Problem)) console.error(e);
    this.says(away ? t('save.again', cause) : t('save.refused', cause, e.remedy ?? ''), 'bad');
    if (away) this.soon(retries[Math.min(this.failures++, retries.length - 1)] * 1000);
  }

  // Somebody else was faster: their answers and mine are put together.
  async behind(problem) {
    let now;
    try { now = await getJSON(this.path); } catch (e) { this.failed(e); return; }
    if (now.version === this.current.version) { // no other version: the case may not be changed now
      this.adopt(now);
      this.says(say({ da: problem.cause, en: problem.cause }), 'bad');
      return;
    }
    this.adopt(now);
    if (!this.may) { this.says(t('save.later'), 'bad'); return; }
    if (this.both.length === 0) this.soon(0);
  }

  /** adopt takes a newer state of the case in, and merges what is typed here. */
  adopt(now) {
    const theirs = flat(now), m = merge(this.base, this.read(), theirs);
    this.current = now;
    this.base = theirs;
    this.fill(m.answers);
    this.dirty = !same(this.read(), theirs);
    if (m.both.length > 0) this.ask(m.both, theirs, now);
    else if (m.taken.length > 0) this.tell(m.taken, now);
    this.dispatchEvent(new Event('saved'));
    if (this.dirty) this.soon();
  }

  tell(names, now) {
    const box = $('conflict'), who = now.changed_by?.name || t('merge.colleague');
    box.hidden = false;
    const labels = [...new Set(names.map((n) => this.label([n])))].join(', ');
    box.replaceChildren(el('div', { className: 'merged', 'data-testid': 'merged' },
      el('p', {}, t('merge.easy', who, labels)),
      el('button', { type: 'button', className: 'quiet', onclick: () => { box.hidden = true; } }, t('merge.ok'))));
  }

  ask(both, theirs, now) {
    this.both = both;
    const box = $('conflict'), who = now.changed_by?.name || t('merge.colleague');
    box.hidden = false;
    const mine = this.read();
    const done = (group, row, take) => {
      if (take) this.fill(settle(this.read(), theirs, group));
      row.remove();
      this.both = this.both.filter((g) => g !== group);
      this.dirty = true;
      this.keep();
      if (this.both.length > 0) return;
      box.hidden = true;
      this.save();
    };
    box.replaceChildren(el('div', { className: 'problem', role: 'alert' },
      el('p', { className: 'cause' }, t('merge.both', who, whenOf(new Date(now.changed)))),
      el('p', { className: 'remedy' }, t('merge.choose'))),
    ...both.map((group) => {
      const row = el('div', { className: 'versus', 'data-group': group[0] });
      row.append(el('h2', {}, this.label(group)),
        el('div', {}, el('p', { className: 'hint' }, t('merge.yours')), el('p', {}, this.words(group, mine)),
          el('button', { type: 'button', 'data-testid': `keep-mine-${group[0]}`, onclick: () => done(group, row, false) }, t('merge.mine'))),
        el('div', {}, el('p', { className: 'hint' }, t('merge.theirs', who)), el('p', {}, this.words(group, theirs)),
          el('button', { type: 'button', 'data-testid': `take-theirs-${group[0]}`, onclick: () => done(group, row, true) }, t('merge.take'))));
      return row;
    }));
    this.says(t('save.choose'), 'bad');
    box.scrollIntoView({ block: 'center' });
    box.querySelector('button').focus({ preventScroll: true });
  }

  label(group) { return t(`field.${group[0]}`); }

  words(group, f) {
    const one = (name) => {
      const v = f[name], field = this.form.elements[name];
      if (Array.isArray(v)) return v.map((x) => (typeof x === 'string' ? x : Object.values(x).join(': '))).join(', ');
      if (typeof v === 'boolean') return v ? t('form.yes') : t('form.no');
      if (field?.tagName === 'SELECT') return [...field.options].find((o) => o.value === v)?.textContent ?? v;
      if (name === 'basis' && v) return t(`form.basis.${v}`);
      return v;
    };
    return group.map(one).filter(Boolean).join(' · ') || '–';
  }
}
