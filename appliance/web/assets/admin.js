// The box's place in the shared system.
import { onSubmit, send } from './api.js';

onSubmit(document.getElementById('enrol'), async (f) => {
  await send('POST', '/api/v1/enrolment', { code: f.code.value.trim() });
  location.hash = 'enrolment';
  location.reload();
});
