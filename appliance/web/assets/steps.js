// One screen a step: which one is shown, how each stands, where the person goes
// next. The address names the step, so that back and a link work.
import { el, t } from './api.js';

export const names = ['what', 'who', 'why', 'report', 'circle', 'submit'];
/** stepOf says at which step a condition is answered. */
export const stepOf = { V1: 'what', V2: 'why', V3: 'why', V4: 'report', V5: 'who', V6: 'circle', V7: 'submit', V8: 'submit', V9: 'submit' };

const pane = (name) => document.getElementById(`step-${name}`);

export class Steps {
  /** leave is called before another step is shown. */
  constructor(leave) {
    this.leave = leave;
    addEventListener('hashchange', () => this.follow(true));
    document.getElementById('evidence-form').addEventListener('keydown', (e) => this.keys(e));
    for (const b of document.querySelectorAll('[data-go]')) b.addEventListener('click', () => this.go(b.dataset.go));
  }

  get at() { return names.find((n) => !pane(n).hidden); }

  /** go shows a step as a new place in the window's history. */
  go(name) {
    if (location.hash === `#${name}`) this.show(name, true); else location.hash = name;
  }

  /** follow shows what the address names: a step, or something on one. */
  follow(focus) {
    const id = location.hash.slice(1);
    if (names.includes(id)) { this.show(id, focus); return true; }
    const on = id && document.getElementById(id);
    const name = on?.closest?.('.pane')?.dataset.part;
    if (!name) return false;
    this.show(name, false);
    for (const d of [on, ...on.querySelectorAll('details')].filter((x) => x.tagName === 'DETAILS').slice(0, 1)) d.open = true;
    on.scrollIntoView({ block: 'start' });
    return true;
  }

  show(name, focus) {
    const before = this.at;
    if (before !== name) this.leave();
    for (const n of names) pane(n).hidden = n !== name;
    for (const li of document.querySelectorAll('#stepbar li')) {
      const here = li.dataset.part === name;
      li.classList.toggle('here', here);
      if (here) li.firstElementChild.setAttribute('aria-current', 'step'); else li.firstElementChild.removeAttribute('aria-current');
    }
    if (!focus) return;
    scrollTo({ top: Math.max(0, document.getElementById('stepbar').getBoundingClientRect().top + scrollY - 80) });
    (this.begin(pane(name)) ?? pane(name).querySelector('h2')).focus({ preventScroll: true });
  }

  // Where a keyboard is at hand the first field that waits for words has the
  // cursor, if it can be seen; else the heading has the focus.
  begin(on) {
    if (!matchMedia('(hover: hover) and (pointer: fine)').matches) return null;
    const field = [...on.querySelectorAll('textarea')].find((x) => x.checkVisibility() && !x.disabled && x.value === '');
    return field && field.getBoundingClientRect().bottom < innerHeight ? field : null;
  }

  // Enter in a field of one line, and with Ctrl in words too, goes on.
  keys(e) {
    const line = e.target.matches('input:not([type=checkbox]):not([type=radio]):not([type=file])');
    if (e.key !== 'Enter' || e.isComposing || !(line || (e.target.matches('textarea') && (e.ctrlKey || e.metaKey)))) return;
    e.preventDefault();
    const next = names[names.indexOf(this.at) + 1];
    if (next) this.go(next);
  }

  /** mark says how each step stands: {name: {missing: n, begun: bool}}. */
  mark(stand) {
    for (const li of document.querySelectorAll('#stepbar li')) {
      const s = stand[li.dataset.part];
      const state = s.done ? 'done' : s.begun ? 'some' : 'todo';
      li.classList.remove('done', 'some', 'todo');
      li.classList.add(state);
      li.dataset.state = state;
      li.querySelector('.n').textContent = s.done ? '✓' : String(names.indexOf(li.dataset.part) + 1);
      li.querySelector('.stand').textContent = s.done ? t('step.done') : s.begun && s.missing > 0 ? t('step.missing', s.missing) : s.begun ? t('step.going') : s.ready ? t('step.ready') : t('step.todo');
    }
  }
}

/** link is a way to the step of a condition. */
export const link = (condition, text) => el('a', { href: `#${stepOf[condition]}`, className: 'button small' }, text);
