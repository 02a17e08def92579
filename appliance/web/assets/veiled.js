// What is always veiled of a camera: drawn once on its picture, and saved.
import { ask, during, el, send, showProblem, t, toast } from './api.js';
import { drawing, place } from './draw.js';

const section = document.getElementById('veiled');
if (section) {
  const cam = section.dataset.cam, stage = document.getElementById('veiled-stage'), overlay = document.getElementById('veiled-overlay');
  const problems = section.querySelector('.problems'), button = document.getElementById('veiled-save'), says = document.getElementById('veiled-says');
  const drawn = el('div', { className: 'box drawing', hidden: true }), boxes = el('div');
  overlay.append(boxes, drawn);
  let all = JSON.parse(section.dataset.veiled), saved = JSON.stringify(all);

  const show = () => {
    boxes.replaceChildren(...all.map((r, i) => {
      const b = el('div', { className: 'box veil', 'data-testid': `veil-${i}` }, el('span', { className: 'tag' }, i + 1),
        el('button', { type: 'button', className: 'away', 'aria-label': t('veiled.remove', i + 1), 'data-testid': `veil-remove-${i}`, onclick: () => { all = all.filter((x) => x !== r); show(); } }, '✕'));
      place(b, r);
      return b;
    }));
    const dirty = JSON.stringify(all) !== saved;
    button.disabled = !dirty;
    says.textContent = dirty ? t('veiled.unsaved') : all.length === 0 ? t('veiled.none') : (all.length === 1 ? t('veiled.one') : t('veiled.some', all.length));
  };
  drawing(overlay, {
    move: (r) => { drawn.hidden = false; place(drawn, r); },
    done: (r) => { drawn.hidden = true; if (all.length < 32) all = [...all, r]; show(); },
    tap: () => { drawn.hidden = true; },
    cancel: () => { drawn.hidden = true; },
  });
  button.addEventListener('click', () => during(button, problems, async () => {
    const c = await send('PUT', `/api/v1/cameras/${cam}/veiled`, { veiled: all });
    all = c.veiled ?? [];
    saved = JSON.stringify(all);
    toast(t('veiled.saved'));
  }).then(show));
  let picture = null;
  const load = async () => {
    if (picture || !section.querySelector('details').open) return;
    try {
      picture = URL.createObjectURL(await (await ask(`/api/v1/cameras/${cam}/still.jpg`)).blob());
    } catch (e) {
      showProblem(problems, e);
      return;
    }
    const img = stage.querySelector('img');
    img.addEventListener('load', () => { stage.style.aspectRatio = `${img.naturalWidth} / ${img.naturalHeight}`; }, { once: true });
    img.src = picture;
  };
  section.querySelector('details').addEventListener('toggle', load);
  load();
  show();
}
