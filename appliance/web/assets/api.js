// What every page's script stands on: the texts, the box's API, times and
// messages.

export const lang = document.documentElement.lang;
const texts = await (await fetch(`/assets/text.${lang}.json`)).json();

/** t returns a text with its arguments put in where it has %s, %d or %v. */
export function t(key, ...args) {
  return (texts[key] ?? key).replace(/%[sdv]/g, () => String(args.shift()));
}

/** say chooses the language of a text that came from the box. */
export const say = (text) => (text ? text[lang] || text.da : '');

/** A Problem is what the box answers when something is wrong. */
export class Problem extends Error {
  constructor(status, code, cause, remedy) {
    super(cause);
    Object.assign(this, { status, code, cause, remedy });
  }
}

async function problemOf(answer) {
  try {
    const p = await answer.json();
    if (p.code) return new Problem(answer.status, p.code, say(p.cause), say(p.remedy));
  } catch { /* not a problem detail: the status alone must do */ }
  return new Problem(answer.status, 'http', t('js.unexpected', answer.status), t('js.tryagain'));
}

// When somebody last did something here. What a page asks by itself after that
// says so, and keeps nobody logged in.
let acted = Date.now();
for (const e of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']) addEventListener(e, () => { acted = Date.now(); }, { capture: true, passive: true });
const alone = () => (Date.now() - acted > 60000 ? { 'Veilbox-Unattended': '1' } : {});

/** ask fetches from the box; a Problem is thrown where it refuses or is away. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: 'same-origin', cache: 'no-store', ...options, headers: { ...alone(), ...options.headers } });
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Problem(0, 'away', t('js.away'), t('js.awayremedy'));
  }
  if (!answer.ok) {
    const p = await problemOf(answer);
    if (['session.none', 'account.session'].includes(p.code)) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    throw p;
  }
  return answer;
}

export const getJSON = async (path) => (await ask(path)).json();

/** send sends a JSON body and returns the JSON answer, if there is one. */
export async function send(method, path, body) {
  const options = { method };
  if (body !== undefined) Object.assign(options, { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });
  const answer = await ask(path, options);
  return answer.status === 204 ? null : answer.json();
}

/** el makes an element; strings become text, never markup. */
export function el(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) {
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (k in e && k !== 'list') e[k] = v;
    else e.setAttribute(k, v);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

/** showProblem puts cause and remedy where the person is looking. */
export function showProblem(place, error) {
  if (!(error instanceof Problem)) console.error(error);
  const p = error instanceof Problem ? error : new Problem(0, 'script', t('js.broken'), t('js.tryagain'));
  place.replaceChildren(el('div', { className: 'problem', role: 'alert', 'data-testid': 'problem', 'data-code': p.code },
    el('p', { className: 'cause' }, p.cause), el('p', { className: 'remedy' }, p.remedy),
    p.code === 'account.fresh' ? el('p', {}, el('a', { href: `/login?next=${encodeURIComponent(location.pathname)}` }, t('login.title'))) : null));
  place.scrollIntoView({ block: 'nearest' });
}

/** during runs work while its button says so; a problem is shown at place. */
export async function during(button, place, work) {
  place?.replaceChildren();
  button.setAttribute('aria-busy', 'true');
  button.disabled = true;
  try {
    return await work();
  } catch (e) {
    if (e.name !== 'AbortError') showProblem(place, e);
    return undefined;
  } finally {
    button.removeAttribute('aria-busy');
    button.disabled = false;
  }
}

let toastTimer;
/** toast says briefly that something was done. */
export function toast(text) {
  const box = document.getElementById('toast');
  box.textContent = text;
  box.classList.add('on');
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => box.classList.remove('on'), 4000);
}

/** onSubmit lets a form be sent by script, with its own place for problems. */
export function onSubmit(form, work) {
  form?.addEventListener('submit', (event) => {
    event.preventDefault();
    const button = event.submitter ?? form.querySelector('button:not([type=button])');
    during(button, form.querySelector('.problems'), () => work(form.elements, button));
  });
}

/** sure asks before what cannot be undone at once. */
export function sure(question, button) {
  return new Promise((answer) => {
    const d = el('dialog', {}, el('p', {}, question), el('div', { className: 'bar' },
      el('button', { className: 'danger', 'data-testid': 'sure', onclick: () => d.close('yes') }, button),
      el('button', { autofocus: true, onclick: () => d.close('') }, t('admin.no'))));
    d.addEventListener('close', () => { answer(d.returnValue === 'yes'); d.remove(); });
    document.body.append(d);
    d.showModal();
  });
}

const zone = 'Europe/Copenhagen';
const partsOf = new Intl.DateTimeFormat('en-GB', {
  timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
});

/** toLocal writes an instant as a datetime-local field holds it, in Danish time. */
export function toLocal(date) {
  const p = Object.fromEntries(partsOf.formatToParts(date).map((x) => [x.type, x.value]));
  return `${p.year}-${p.month}-${p.day}T${p.hour}:${p.minute}:${p.second}`;
}

/** fromLocal reads such a field; null where it is empty or no time. A year has
 *  other than four digits only while it is being typed. */
export function fromLocal(value) {
  if (!/^[1-9]\d{3}-/.test(value ?? '')) return null;
  const naive = Date.parse(`${value}${value.length === 10 ? 'T00:00:00' : ''}Z`);
  if (Number.isNaN(naive)) return null;
  const shift = (at) => Date.parse(`${toLocal(new Date(at))}Z`) - at;
  let at = naive - shift(naive);
  at = naive - shift(at); // once more where summer time begins or ends between
  return new Date(at);
}

/** iso writes an instant as the API reads it, to the millisecond. */
export const iso = (date) => date.toISOString();

const clockForm = new Intl.DateTimeFormat(lang, { timeZone: zone, hour: '2-digit', minute: '2-digit', second: '2-digit' });
const minuteForm = new Intl.DateTimeFormat(lang, { timeZone: zone, hour: '2-digit', minute: '2-digit' });
const whenForm = new Intl.DateTimeFormat(lang, { timeZone: zone, day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const dayForm = new Intl.DateTimeFormat(lang, { timeZone: zone, day: 'numeric', month: 'short' });
export const dayOf = (date) => dayForm.format(date);
export const clockOf = (date) => clockForm.format(date);
export const minuteOf = (date) => minuteForm.format(date);
export const whenOf = (date) => whenForm.format(date);

/** seconds writes a length for people. */
export function seconds(s) {
  const n = new Intl.NumberFormat(lang, { maximumFractionDigits: s < 10 ? 1 : 0 });
  return s < 90 ? t('js.seconds', n.format(s)) : t('js.minutes', Math.floor(s / 60), Math.round(s % 60));
}
