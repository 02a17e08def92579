// The reveal sheet: what must be looked at first, then every picture of what
// anyone will see unveiled.
import { el, getJSON, lang, seconds, t } from './api.js';

const number = new Intl.NumberFormat(lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const $ = (id) => document.getElementById(id);

/** showSheet fills the sheet and returns what the box said of it. */
export async function showSheet(path) {
  const s = await getJSON(`${path}/sheet`);
  const pictures = s.pictures ?? [], unsure = s.unsure ?? [], flagged = s.flagged ?? [];
  const player = document.querySelector('[data-testid=copy-player]');
  const of = (who) => (s.subjects > 1 && who.length > 0 ? `${who.map((i) => t('mark.person', i + 1)).join(', ')}: ` : '');
  const pic = (p, i, large) => el('button', {
    type: 'button', className: `pic${large ? ' large' : ''}${(p.flags ?? []).length > 0 ? ' flag' : ''}`, 'data-testid': `picture-${i}`, 'aria-label': t('sheet.picture', number.format(p.at)),
    onclick: () => { if (!player) return; player.pause(); player.currentTime = p.at; player.scrollIntoView({ block: 'center' }); },
  }, el('img', { src: p.url, loading: 'lazy', alt: '' }), el('span', {}, p.kind === 'scene' ? t('sheet.scene') : `${s.subjects > 1 && p.subject >= 0 ? `${p.subject + 1} · ` : ''}${number.format(p.at)} s`));
  const still = pictures.some((p) => p.kind === 'still');
  const persons = pictures.filter((p) => p.kind === 'subject').length;
  $('sheet-says').textContent = pictures.length === 0 ? t('sheet.nothing')
    : still ? t('sheet.still') : t('sheet.says', persons, seconds(s.shown), seconds(s.duration));

  // Flags first, each with its pictures and why.
  const placed = new Set();
  $('flags').replaceChildren(...(flagged.length === 0 ? [] : [el('h4', { 'data-testid': 'flags-say' }, flagged.length === 1 ? t('sheet.flag') : t('sheet.flags', flagged.length))]),
    ...flagged.map((f, n) => {
      const mine = pictures.map((p, i) => [p, i]).filter(([p]) => p.kind !== 'scene' && p.at >= f.from - 0.001 && p.at < f.to && (p.subject < 0 || (f.subjects ?? []).includes(p.subject)));
      for (const [, i] of mine) placed.add(i);
      return el('section', { className: 'flagged', 'data-testid': `flag-${n}` },
        el('p', { className: 'big' }, el('span', { className: 'sign' }, '!'), ` ${number.format(f.from)}–${number.format(f.to)} s`),
        el('p', {}, of(f.subjects ?? []), (f.flags ?? []).map((x) => t(`flag.${x}`)).join('. '), '.'),
        el('div', { className: 'sheet' }, ...mine.map(([p, i]) => pic(p, i, true))));
    }));
  const rest = pictures.map((p, i) => [p, i]).filter(([, i]) => !placed.has(i)).sort(([a], [b]) => (a.kind === 'scene') - (b.kind === 'scene') || a.at - b.at);
  if (flagged.length > 0 && rest.length > 0) $('flags').append(el('h4', {}, t('sheet.rest')));
  $('sheet').replaceChildren(...rest.map(([p, i]) => pic(p, i, p.kind !== 'subject')));
  const note = $('unsure');
  note.hidden = unsure.length === 0;
  note.textContent = `${t('sheet.unsure')} ${unsure.map((u) => `${number.format(u.from)}–${number.format(u.to)} s`).join(', ')}. ${t('sheet.unsurenext')}`;
  return s;
}
