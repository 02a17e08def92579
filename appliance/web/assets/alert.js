// Looking at what another member shared: said why first, logged, then shown.
import { clockOf, el, onSubmit, send, t } from './api.js';

const form = document.getElementById('view');
onSubmit(form, async (f) => {
  const v = await send('POST', `/api/v1/alerts/${form.dataset.id}/viewings`, { purpose: f.purpose.value.trim() });
  const box = document.getElementById('viewing'), still = v.media === 'image/jpeg';
  const video = box.querySelector('video'), img = box.querySelector('img');
  box.hidden = false;
  form.hidden = true;
  video.hidden = still;
  img.hidden = !still;
  document.getElementById('viewing-says').textContent = still ? t('view.stilluntil', clockOf(new Date(v.until))) : t('view.until', clockOf(new Date(v.until)));
  if (still) img.src = v.url;
  else {
    video.src = v.url;
    video.play().catch(() => { /* a failed video says so itself */ });
  }
  box.scrollIntoView({ block: 'nearest' });
  setTimeout(() => {
    video.pause();
    for (const e of [video, img]) e.removeAttribute('src');
    video.load();
    box.hidden = true;
    form.hidden = false;
  }, Math.min(2 ** 31 - 1, Math.max(0, new Date(v.until) - Date.now())));
});

const deleted = document.getElementById('deleted');
onSubmit(deleted, async (f) => {
  await send('POST', `/api/v1/alerts/${deleted.dataset.id}/deletion`, { words: f.words.value.trim() });
  deleted.replaceChildren(el('p', { className: 'big good', role: 'status', 'data-testid': 'deleted-done' }, `✓ ${t('alert.deletedone')}`));
});
