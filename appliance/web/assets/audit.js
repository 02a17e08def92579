// The audit log's own check.
import { during, getJSON, lang, Problem, t } from './api.js';

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat(lang);
const day = new Intl.DateTimeFormat(lang, { timeZone: 'Europe/Copenhagen', dateStyle: 'long' });
const button = $('verify');

function tell(r) {
  $('report').hidden = $('report-compare').hidden = false;
  $('report-size').textContent = number.format(r.size);
  $('report-hash').textContent = r.hash;
  $('report-span').textContent = r.first ? `${day.format(new Date(r.first))} – ${day.format(new Date(r.last))}` : '–';
  $('report-pruned-row').hidden = !r.pruned;
  if (r.pruned) $('report-pruned').textContent = t('audit.pruned', number.format(r.pruned));
}

button.addEventListener('click', () => {
  const says = $('verified');
  says.textContent = t('audit.verifying');
  says.className = 'after';
  $('report').hidden = $('report-compare').hidden = true;
  during(button, $('verify-problems'), async () => {
    let r;
    try {
      r = await getJSON('/api/v1/audit/verify');
    } catch (e) {
      says.textContent = '';
      throw e;
    }
    tell(r);
    if (!r.ok) {
      says.textContent = '';
      throw new Problem(0, 'audit.tampered', t('audit.bad', r.bad_seq > 0 ? r.bad_seq : '–'), t('audit.badremedy'));
    }
    says.textContent = `✓ ${t('audit.good', number.format(r.size))}`;
    says.className = 'after good';
  });
});
