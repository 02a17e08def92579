// The form of the nine conditions: filled from the case, saved as one, and
// merged by hand where somebody else saved in between.
import { during, el, fromLocal, getJSON, iso, Problem, send, showProblem, t, toLocal, whenOf } from './api.js';
import { Circle } from './circle.js';

const texts = ['basis_words', 'repetition', 'professional', 'repeat_reasons'];
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const minute = (s) => (s ? toLocal(new Date(s)).slice(0, 16) : '');

/** flat is a case's answers by the form's names, as the form holds them. */
function flat(c) {
  const e = c.evidence, circle = e.circle ?? {};
  return {
    what: c.what, happened_at: toLocal(new Date(c.happened_at)), offence: e.offence, attempt: e.attempt, basis: e.basis,
    ...Object.fromEntries(texts.map((n) => [n, e[n] ?? ''])),
    value_dkk: e.value_dkk === undefined ? '' : String(e.value_dkk),
    report_number: e.report?.number ?? '', report_at: minute(e.report?.at), report_today: e.report_today,
    area: circle.area ?? '', place: circle.place ?? '', trades: [...(circle.trades ?? [])].sort(), chains: [...(circle.chains ?? [])].sort(),
    members: [...(circle.members ?? [])].sort(), circle_reason: circle.reason ?? '',
    next_reassessment: e.next_reassessment ? toLocal(new Date(e.next_reassessment)).slice(0, 10) : '',
    doubtful: e.doubtful, first_of_kind: e.first_of_kind,
  };
}

/** build makes the change that the box takes; what the form doesn't ask stays. */
function build(f, c) {
  const e = { ...c.evidence };
  Object.assign(e, { offence: f.offence, attempt: f.attempt, basis: f.basis, report_today: f.report_today, doubtful: f.doubtful, first_of_kind: f.first_of_kind });
  for (const n of texts) e[n] = f[n];
  if (f.value_dkk === '') delete e.value_dkk; else e.value_dkk = Number(f.value_dkk);
  if (f.report_number || f.report_at) {
    const at = fromLocal(f.report_at);
    e.report = { ...e.report, number: f.report_number, at: at ? iso(at) : '0001-01-01T00:00:00Z' };
  } else delete e.report;
  e.circle = { area: f.area, place: f.area === 'country' ? '' : f.place, trades: f.trades, chains: f.chains, members: f.members, reason: f.circle_reason };
  if (f.next_reassessment) e.next_reassessment = iso(fromLocal(`${f.next_reassessment}T12:00:00`)); else delete e.next_reassessment;
  return { version: c.version, what: f.what, happened_at: iso(fromLocal(f.happened_at) ?? new Date(c.happened_at)), evidence: e };
}

const clockMinute = (e) => e.toLocaleTimeString(document.documentElement.lang, { hour: '2-digit', minute: '2-digit', timeZone: 'Europe/Copenhagen' });

export class Evidence {
  constructor(c, path, may, changed) {
    Object.assign(this, { base: c, path, may, changed });
    this.form = document.getElementById('evidence-form');
    this.circle = new Circle(this.form, () => this.typed());
    const start = flat(c);
    this.fill(start);
    if (may) {
      const next = this.form.elements.next_reassessment;
      if (!next.value) { next.value = next.dataset.suggest; this.dirty = true; }
      this.form.addEventListener('input', () => this.typed());
      this.form.addEventListener('change', () => this.soon());
      this.form.addEventListener('submit', (e) => {
        e.preventDefault();
        during(this.form.querySelector('[data-testid=save]'), this.form.querySelector('.problems'), () => this.save(true));
      });
      addEventListener('beforeunload', (e) => { if (this.dirty && this.touched) e.preventDefault(); });
    }
    this.circle.load(start).catch((e) => showProblem(document.getElementById('members'), e));
  }

  fill(f) {
    const x = this.form.elements;
    for (const [name, v] of Object.entries(f)) {
      if (Array.isArray(v)) continue;
      if (typeof v === 'boolean') x[name].checked = v;
      else if (name === 'basis') for (const r of x.basis) r.checked = r.value === v;
      else if (name !== 'place') x[name].value = v;
    }
    this.circle.fill(f);
  }

  read() {
    const x = this.form.elements, f = {};
    for (const [name, v] of Object.entries(flat(this.base))) {
      if (Array.isArray(v) || name === 'place') continue;
      f[name] = typeof v === 'boolean' ? x[name].checked : x[name].value.trim();
    }
    return { ...f, ...this.circle.read() };
  }

  typed() {
    this.dirty = this.touched = true;
    this.says(t('form.notsaved'));
  }

  says(text) {
    const s = document.getElementById('saved');
    if (!s) return;
    s.textContent = text;
    clearTimeout(this.fade);
    if (!this.dirty && !this.saving) this.fade = setTimeout(() => { s.textContent = ''; }, 5000);
  }

  soon() { // an answer is saved a moment after it was left
    clearTimeout(this.timer);
    if (this.conflict) return;
    this.timer = setTimeout(() => this.save().catch((e) => showProblem(this.form.querySelector('.problems'), e)), 400);
  }

  /** settle saves what is typed; false where it can't be saved now. */
  async settle() {
    if (!this.may || !this.dirty) return true;
    clearTimeout(this.timer);
    await this.save();
    return !this.conflict;
  }

  async save(always) {
    if (this.saving) await this.saving.catch(() => { /* its own caller tells */ });
    if (!this.dirty && !always) return;
    clearTimeout(this.timer);
    const f = this.read();
    this.dirty = false;
    this.says(t('form.saving'));
    this.saving = send('PUT', this.path, build(f, this.base));
    try {
      this.base = await this.saving;
      this.saving = null;
      this.resolved();
      if (!this.dirty) this.says(t('form.saved', clockMinute(new Date())));
      this.form.querySelector('.problems').replaceChildren();
      this.changed(this.base);
    } catch (e) {
      this.dirty = true;
      this.says(t('form.notsaved'));
      if (!(e instanceof Problem) || e.status !== 409) throw e;
      await this.merge(f, e);
    } finally {
      this.saving = null;
    }
  }

  // merge keeps what was typed: where only one of the two changed an answer
  // that one holds; where both did, the other's is shown and a person chooses.
  async merge(mine, problem) {
    const old = flat(this.base), now = await getJSON(this.path), theirs = flat(now);
    if (!(now.may ?? []).includes('change')) throw problem;
    const both = [];
    for (const name of Object.keys(mine)) {
      if (same(mine[name], old[name])) mine[name] = theirs[name];
      else if (!same(theirs[name], old[name]) && !same(theirs[name], mine[name])) both.push(name);
    }
    this.base = now;
    this.fill(mine);
    this.changed(now);
    this.conflict = true;
    const place = document.getElementById('conflict');
    place.hidden = false;
    place.replaceChildren(el('div', { className: 'problem', role: 'alert' },
      el('p', { className: 'cause' }, t('conflict.cause', whenOf(new Date(now.changed)))),
      el('p', { className: 'remedy' }, both.length ? t('conflict.both') : t('conflict.easy')),
      ...(both.length ? [el('ul', {}, ...both.map((n) => el('li', {}, el('strong', {}, `${this.label(n)}: `), t('conflict.theirs', this.words(theirs[n])))))] : []),
      el('div', { className: 'bar' },
        el('button', { type: 'button', className: 'primary', 'data-testid': 'keep-mine', onclick: () => this.choose(mine) }, t('conflict.mine')),
        both.length ? el('button', { type: 'button', 'data-testid': 'take-theirs', onclick: () => { for (const n of both) mine[n] = theirs[n]; this.choose(mine); } }, t('conflict.taketheirs')) : null)));
    place.scrollIntoView({ block: 'center' });
  }

  choose(f) {
    // Whatever was typed since the message came stays, unless theirs was chosen.
    this.fill(f);
    this.resolved();
    this.dirty = true;
    this.save().catch((e) => showProblem(this.form.querySelector('.problems'), e));
  }

  resolved() {
    this.conflict = false;
    document.getElementById('conflict').hidden = true;
  }

  label(name) {
    const field = this.form.elements[name];
    const text = field?.closest?.('label')?.textContent.trim();
    return text ? text.split('\n')[0] : t(`field.${name}`);
  }

  words(v) {
    if (Array.isArray(v)) return v.join(', ') || '–';
    if (typeof v === 'boolean') return v ? t('form.yes') : t('form.no');
    return v || '–';
  }
}
