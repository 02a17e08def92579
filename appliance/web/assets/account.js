// The own password, and the acceptance of the conditions.
import { onSubmit, Problem, send, t, toast } from './api.js';

const form = document.getElementById('password-form');
onSubmit(form, async (f) => {
  if (f.new.value !== f.again.value) throw new Problem(0, 'again', t('account.differ'), t('account.differremedy'));
  await send('POST', '/api/v1/session/password', { old: f.old.value, new: f.new.value });
  if (form.dataset.must === 'true') {
    location.assign('/');
    return;
  }
  form.reset();
  toast(t('account.changed'));
});

const accept = document.getElementById('accept');
onSubmit(accept, async () => {
  await send('POST', '/api/v1/conditions', { version: accept.dataset.version });
  location.assign('/');
});
