// The start page's own acts: the clock is right, held footage may go or stays.
import { during, fromLocal, iso, onSubmit, send, sure, t } from './api.js';

const clock = document.getElementById('confirm-clock');
clock?.addEventListener('click', async () => {
  if (!(await sure(t('start.sureclock'), t('start.clockright')))) return;
  during(clock, clock.closest('section').querySelector('.problems'), async () => {
    await send('POST', '/api/v1/clock');
    location.reload();
  });
});

for (const form of document.querySelectorAll('form[data-extend]')) {
  onSubmit(form, async (f) => {
    await send('POST', `/api/v1/holds/${form.dataset.extend}`, { reason: f.reason.value.trim(), review: iso(fromLocal(`${f.review.value}T12:00:00`)) });
    location.reload();
  });
}

for (const form of document.querySelectorAll('form[data-release]')) {
  onSubmit(form, async (f) => {
    await send('POST', `/api/v1/holds/${form.dataset.release}/release`, { reason: f.reason.value.trim() });
    location.reload();
  });
}
