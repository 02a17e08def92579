// The reveal sheet: every picture of what anyone will see unveiled.
import { el, getJSON, lang, seconds, t } from './api.js';

const number = new Intl.NumberFormat(lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** showSheet fills the sheet and returns what the box said of it. */
export async function showSheet(path) {
  const s = await getJSON(`${path}/sheet`);
  const pictures = s.pictures ?? [], unsure = s.unsure ?? [];
  const player = document.querySelector('[data-testid=copy-player]');
  document.getElementById('sheet-says').textContent = t('sheet.says', pictures.length, seconds(s.shown), seconds(s.duration));
  document.getElementById('sheet').replaceChildren(...pictures.map((p, i) => el('button', {
    type: 'button', className: 'pic', 'data-testid': `picture-${i}`, 'aria-label': t('sheet.picture', number.format(p.at)),
    onclick: () => { player.pause(); player.currentTime = p.at; player.scrollIntoView({ block: 'center' }); },
  }, el('img', { src: p.url, loading: 'lazy', alt: '' }), el('span', {}, `${number.format(p.at)} s`))));
  const note = document.getElementById('unsure');
  note.hidden = unsure.length === 0;
  note.textContent = `${t('sheet.unsure')} ${unsure.map((u) => `${number.format(u.from)}–${number.format(u.to)} s`).join(', ')}. ${t('sheet.unsurenext')}`;
  return s;
}
