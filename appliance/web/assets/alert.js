// Looking at what another member shared: said why first, logged, then shown.
import { clockOf, onSubmit, send, t } from './api.js';

const form = document.getElementById('view');
onSubmit(form, async (f) => {
  const v = await send('POST', `/api/v1/alerts/${form.dataset.id}/viewings`, { purpose: f.purpose.value.trim() });
  const box = document.getElementById('viewing'), video = box.querySelector('video');
  box.hidden = false;
  form.hidden = true;
  document.getElementById('viewing-says').textContent = t('view.until', clockOf(new Date(v.until)));
  video.src = v.url;
  video.play().catch(() => { /* a failed video says so itself */ });
  box.scrollIntoView({ block: 'nearest' });
  setTimeout(() => {
    video.pause();
    video.removeAttribute('src');
    video.load();
    box.hidden = true;
    form.hidden = false;
  }, Math.min(2 ** 31 - 1, Math.max(0, new Date(v.until) - Date.now())));
});
