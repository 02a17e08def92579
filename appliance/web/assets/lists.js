// What witnesses said, and earlier cases of the same person: lists of which each
// entry is written and taken away by itself.
import { el, fromLocal, iso, t, toLocal, whenOf } from './api.js';

const $ = (id) => document.getElementById(id);

/** Statements are what witnesses said, named by what they do and not by name. */
export class Statements {
  constructor(typed) {
    Object.assign(this, { typed, list: [] });
    $('add-statement').addEventListener('click', () => {
      this.list.push({ witness: '', words: '', at: iso(new Date(Math.floor(Date.now() / 60000) * 60000)) });
      this.draw();
      $('statements').lastElementChild.querySelector('input').focus();
    });
  }

  fill(f) {
    if (JSON.stringify(f.statements) === JSON.stringify(this.list) && this.drawn) return;
    this.list = f.statements.map((s) => ({ ...s }));
    this.drawn = true;
    this.draw();
  }

  read() { return { statements: this.list.filter((s) => s.witness.trim() || s.words.trim()).map((s) => ({ witness: s.witness.trim(), words: s.words.trim(), at: s.at })) }; }

  draw() {
    $('statements').replaceChildren(...this.list.map((s, i) => el('div', { className: 'entry' },
      el('div', { className: 'fields two' },
        el('label', {}, t('statement.who'), el('input', { value: s.witness, maxLength: 100, placeholder: t('statement.whohint'), 'data-testid': `statement-who-${i}`, oninput: (e) => { s.witness = e.target.value; this.typed(); } })),
        el('label', {}, t('statement.at'), el('input', { type: 'datetime-local', step: '60', value: toLocal(new Date(s.at)).slice(0, 16), oninput: (e) => { const at = fromLocal(e.target.value); if (at) s.at = iso(at); this.typed(); } }))),
      el('label', {}, t('statement.words'), el('textarea', { value: s.words, rows: 2, maxLength: 4000, 'data-testid': `statement-words-${i}`, oninput: (e) => { s.words = e.target.value; this.typed(); } })),
      el('button', { type: 'button', className: 'quiet', onclick: () => { this.list.splice(i, 1); this.draw(); this.typed(); $('add-statement').focus(); } }, t('statement.remove')))));
  }
}

/** Links are earlier cases of the same person, picked from what this box has. */
export class Links {
  constructor(typed) { Object.assign(this, { typed, list: [], found: null }); }

  /** suggest takes the cases that the box holds to be worth a look. */
  suggest(found) {
    this.found = found;
    this.draw();
  }

  fill(f) {
    if (JSON.stringify(f.links) === JSON.stringify(this.list) && this.drawn) return;
    this.list = f.links.map((l) => ({ ...l }));
    this.drawn = true;
    if (this.list.length > 0) $('earlier-cases').open = true;
    this.draw();
  }

  read() { return { links: this.list.map((l) => ({ case: l.case, why: l.why.trim() })) }; }

  draw() {
    const all = [...(this.found ?? [])];
    for (const l of this.list) if (!all.some((c) => c.case === l.case)) all.push({ case: l.case, what: t('link.case', l.case.slice(0, 6)) });
    $('links').replaceChildren(...(all.length === 0 ? [el('p', { className: 'hint' }, this.found ? t('link.none') : t('link.wait'))] : []), ...all.map((c) => {
      const mine = this.list.find((l) => l.case === c.case);
      return el('div', { className: 'entry' },
        el('label', { className: 'check' }, el('input', { type: 'checkbox', checked: Boolean(mine), 'data-testid': `link-${c.case}`, onchange: (e) => {
          this.list = e.target.checked ? [...this.list, { case: c.case, why: '' }] : this.list.filter((l) => l.case !== c.case);
          this.draw();
          this.typed();
          if (e.target.checked) $('links').querySelector(`[data-why="${CSS.escape(c.case)}"]`)?.focus();
        } }), el('span', {}, c.what, el('small', {}, [c.happened_at && whenOf(new Date(c.happened_at)), c.offence && t(`offence.${c.offence}`), c.same_camera && t('link.samecamera')].filter(Boolean).join(' · ')))),
        mine ? el('label', {}, t('link.why'), el('input', { value: mine.why, maxLength: 500, 'data-why': c.case, 'data-testid': `link-why-${c.case}`, oninput: (e) => { mine.why = e.target.value; this.typed(); } })) : null);
    }));
  }
}
