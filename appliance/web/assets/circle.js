// Who is to receive: area, trades and chains narrow the list of members; each
// can be left out by hand.
import { el, getJSON, t } from './api.js';

const sorted = (list) => [...new Set(list.filter(Boolean))].sort((a, b) => a.localeCompare(b, 'da'));
const $ = (id) => document.getElementById(id);

export class Circle {
  constructor(form, typed) {
    Object.assign(this, { form, typed, all: [], state: { area: '', place: '', trades: [], chains: [], members: [] } });
    form.elements.area.addEventListener('change', () => { this.state.place = ''; this.narrow(); });
    form.elements.place.addEventListener('change', () => this.narrow());
  }

  async load(start) {
    this.all = (await getJSON('/api/v1/members')).filter((m) => !m.own);
    this.fill(start);
  }

  fill(f) {
    this.state = { area: f.area, place: f.place, trades: [...f.trades], chains: [...f.chains], members: [...f.members] };
    this.form.elements.area.value = f.area;
    this.draw();
  }

  read() { return { ...this.state, trades: [...this.state.trades].sort(), chains: [...this.state.chains].sort(), members: [...this.state.members].sort() }; }

  places() { return sorted(this.all.map((m) => (this.state.area === 'town' ? m.town : this.state.area === 'region' ? m.region : ''))); }

  inside() {
    const s = this.state;
    return this.all.filter((m) => s.area &&
      (s.area === 'country' || (s.place && (s.area === 'town' ? m.town : m.region) === s.place)) &&
      (s.trades.length === 0 || s.trades.includes(m.trade)) && (s.chains.length === 0 || s.chains.includes(m.chain)));
  }

  narrow() { // a new choice begins with everyone it names
    const s = this.state;
    s.area = this.form.elements.area.value;
    s.place = s.area === 'town' || s.area === 'region' ? this.form.elements.place.value : '';
    if (s.place && !this.places().includes(s.place)) s.place = '';
    s.members = this.inside().filter((m) => m.boxes > 0).map((m) => m.id);
    this.draw();
    this.typed();
  }

  draw() {
    const s = this.state, place = this.form.elements.place;
    $('place-label').hidden = s.area !== 'town' && s.area !== 'region';
    const names = this.places();
    if (s.place && !names.includes(s.place)) names.push(s.place);
    place.replaceChildren(el('option', { value: '' }, t('form.choose')), ...names.map((p) => el('option', { value: p }, p)));
    place.value = s.place;
    this.picks('trades', sorted(this.all.map((m) => m.trade)));
    this.picks('chains', sorted(this.all.map((m) => m.chain)));
    this.members();
  }

  picks(kind, names) {
    $(kind).replaceChildren(...(names.length ? names : []).map((name) => this.check(name, this.state[kind].includes(name), `${kind}-${name}`, (on) => {
      this.state[kind] = on ? [...this.state[kind], name] : this.state[kind].filter((x) => x !== name);
      this.narrow();
    })), ...(names.length ? [] : [el('p', { className: 'hint' }, t('circle.nonames'))]));
  }

  check(text, checked, id, change, more = null, disabled = false) {
    return el('label', { className: 'check' },
      el('input', { type: 'checkbox', checked, disabled, 'data-testid': id, onchange: (e) => change(e.target.checked) }), el('span', {}, text, more));
  }

  members() {
    const s = this.state, inside = this.inside();
    const strays = s.members.filter((id) => !inside.some((m) => m.id === id)).map((id) => this.all.find((m) => m.id === id) ?? { id, name: id });
    $('members-says').textContent = this.all.length === 0 ? t('circle.nobody') : s.area ? t('circle.chosen', s.members.length, inside.length + strays.length) : t('circle.choosearea');
    $('members').replaceChildren(...[...inside, ...strays].map((m) => this.check(m.name, s.members.includes(m.id), `member-${m.id}`, (on) => {
      s.members = on ? [...s.members, m.id] : s.members.filter((x) => x !== m.id);
      this.members();
      this.typed();
    }, el('small', {}, [m.town, m.trade, m.chain, m.boxes === 0 ? t('circle.nobox') : ''].filter(Boolean).join(' · ')),
    m.boxes === 0 && !s.members.includes(m.id))));
  }
}
