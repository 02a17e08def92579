// Who is to receive: area, trades and chains narrow the list of members; each
// choice has its reason, and a member can be left out by hand. It begins with
// the shop's own town and trade, the narrowest that makes sense.
import { el, getJSON, send, t } from './api.js';

const sorted = (list, first) => [...new Set(list.filter(Boolean))].sort((a, b) => (b === first) - (a === first) || a.localeCompare(b, 'da'));
const $ = (id) => document.getElementById(id);

export class Circle {
  constructor(form, typed) {
    Object.assign(this, { form, typed, all: [], own: null, state: { area: '', place: '', trades: [], chains: [], members: [] } });
    form.elements.area.addEventListener('change', () => { this.state.place = ''; this.narrow(); });
    form.elements.place.addEventListener('change', () => this.narrow());
  }

  /** load fetches who there is; with begin, an empty circle begins with the own town and trade. */
  async load(begin) {
    const all = await getJSON('/api/v1/members');
    this.own = all.find((m) => m.own) ?? null;
    this.all = all.filter((m) => !m.own);
    if (begin && !this.state.area && this.own) {
      for (const area of ['town', 'region']) { // the region where nobody in town is exposed
        this.state = { ...this.state, area, place: this.own[area], trades: this.own.trade ? [this.own.trade] : [] };
        this.state.members = this.receivers();
        if (this.state.members.length > 0) break;
      }
      this.draw();
      this.typed();
      return;
    }
    this.draw();
  }

  fill(f) {
    this.state = { area: f.area, place: f.place, trades: [...f.trades], chains: [...f.chains], members: [...f.members] };
    this.draw();
  }

  read() { return { ...this.state, trades: [...this.state.trades].sort(), chains: [...this.state.chains].sort(), members: [...this.state.members].sort() }; }

  places() { return sorted(this.all.concat(this.own ?? []).map((m) => (this.state.area === 'town' ? m.town : this.state.area === 'region' ? m.region : '')), this.own?.[this.state.area]); }

  inside() {
    const s = this.state;
    return this.all.filter((m) => s.area &&
      (s.area === 'country' || (s.place && (s.area === 'town' ? m.town : m.region) === s.place)) &&
      (s.trades.length === 0 || s.trades.includes(m.trade)) && (s.chains.length === 0 || s.chains.includes(m.chain)));
  }

  receivers() { return this.inside().filter((m) => m.boxes > 0).map((m) => m.id); }

  narrow() { // a new choice begins with everyone it names
    const s = this.state;
    s.area = this.form.elements.area.value;
    s.place = s.area === 'town' || s.area === 'region' ? this.form.elements.place.value || (this.own?.[s.area] ?? '') : '';
    if (s.place && !this.places().includes(s.place)) s.place = this.own?.[s.area] ?? '';
    s.members = this.receivers();
    this.draw();
    this.typed();
  }

  draw() {
    const s = this.state, place = this.form.elements.place;
    this.form.elements.area.value = s.area;
    $('place-label').hidden = s.area !== 'town' && s.area !== 'region';
    const names = this.places();
    if (s.place && !names.includes(s.place)) names.push(s.place);
    place.replaceChildren(el('option', { value: '' }, t('form.choose')), ...names.map((p) => el('option', { value: p }, p)));
    place.value = s.place;
    this.picks('trades', 'trade');
    this.picks('chains', 'chain');
    $('area-why').hidden = !s.area;
    $('trades-why').hidden = s.trades.length === 0;
    $('chains-why').hidden = s.chains.length === 0;
    this.members();
  }

  picks(kind, of) {
    const names = sorted(this.all.concat(this.own ?? []).map((m) => m[of]), this.own?.[of]);
    const focused = document.activeElement?.dataset?.testid;
    $(kind).replaceChildren(...names.map((name) => this.check(name, this.state[kind].includes(name), `${kind}-${name}`, (on) => {
      this.state[kind] = on ? [...this.state[kind], name] : this.state[kind].filter((x) => x !== name);
      this.narrow();
    }, name === this.own?.[of] ? el('small', {}, t('circle.own')) : null)), ...(names.length ? [] : [el('p', { className: 'hint' }, t('circle.nonames'))]));
    if (focused) $(kind).querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
  }

  check(text, checked, id, change, more = null, disabled = false) {
    return el('label', { className: 'check' },
      el('input', { type: 'checkbox', checked, disabled, 'data-testid': id, onchange: (e) => change(e.target.checked) }), el('span', {}, text, more));
  }

  members() {
    const s = this.state, inside = this.inside();
    const strays = s.members.filter((id) => !inside.some((m) => m.id === id)).map((id) => this.all.find((m) => m.id === id) ?? { id, name: id });
    this.count(inside.length + strays.length);
    $('members').replaceChildren(...[...inside, ...strays].map((m) => this.check(m.name, s.members.includes(m.id), `member-${m.id}`, (on) => {
      s.members = on ? [...s.members, m.id] : s.members.filter((x) => x !== m.id);
      this.count(inside.length + strays.length);
      this.typed();
    }, el('small', {}, [m.town, m.trade, m.chain, m.boxes === 0 ? t('circle.nobox') : ''].filter(Boolean).join(' · ')),
    m.boxes === 0 && !s.members.includes(m.id))));
  }

  // How many that is: the shops at once, the people when the box has counted.
  count(of) {
    const n = this.state.members.length, says = $('members-says');
    says.textContent = this.all.length === 0 ? t('circle.nobody') : !this.state.area ? t('circle.choosearea') : n === 1 ? t('circle.shop', of) : t('circle.shops', n, of);
    clearTimeout(this.counting);
    if (n === 0) return;
    const asked = this.read();
    this.counting = setTimeout(async () => {
      try {
        const c = await send('POST', '/api/v1/circle', { area: asked.area, place: asked.place, trades: asked.trades, chains: asked.chains, members: asked.members });
        if (JSON.stringify(asked.members) === JSON.stringify(this.read().members) && c.people > 0) says.textContent = c.shops === 1 ? t('circle.person', c.people) : t('circle.people', c.shops, c.people);
      } catch { /* the count of shops stands; the box says elsewhere what it lacks */ }
    }, 250);
  }
}
