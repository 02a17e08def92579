// The audit log's own check.
import { during, getJSON, Problem, t } from './api.js';

const button = document.getElementById('verify');
button.addEventListener('click', () => {
  const says = document.getElementById('verified');
  says.textContent = t('audit.verifying');
  says.className = 'after';
  during(button, document.getElementById('verify-problems'), async () => {
    let r;
    try {
      r = await getJSON('/api/v1/audit/verify');
    } catch (e) {
      says.textContent = '';
      throw e;
    }
    if (!r.ok) {
      says.textContent = '';
      throw new Problem(0, 'audit.tampered', t('audit.bad', r.bad_seq < 0 ? '–' : r.bad_seq), t('audit.badremedy'));
    }
    says.textContent = `✓ ${t('audit.good', r.size)}`;
    says.className = 'after good';
  });
});
