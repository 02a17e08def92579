// The own account: first set-up, passkeys, one-time codes, password, sessions.
import { during, el, onSubmit, Problem, send, sure, t, toast } from './api.js';
import { ceremony, make, supported, use } from './passkey.js';

const $ = (id) => document.getElementById(id);
const passkeys = '/api/v1/session/passkeys';

/** onward goes where the box wants the person next: its pages lead there. */
const onward = (form, says) => {
  if (form.dataset.setup === 'true') {
    location.assign('/');
    return;
  }
  sessionStorage.setItem('toast', says);
  location.reload();
};
const waiting = sessionStorage.getItem('toast');
if (waiting) {
  sessionStorage.removeItem('toast');
  toast(waiting);
}

// The name is a suggestion: people know their things by other names.
function device() {
  const of = (words) => words.find(([sign]) => navigator.userAgent.includes(sign))?.[1];
  return of([['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Android', 'Android'], ['Windows', 'Windows'], ['Macintosh', 'Mac'], ['Linux', 'Linux']]) ?? t('key.device');
}

const key = $('passkey-form');
if (key && supported() && !$('passkey-none').querySelector('a')) {
  key.hidden = false;
  $('passkey-none').hidden = true;
  key.elements.name.value = device();
}
onSubmit(key, async (f) => {
  await ceremony(passkeys, make, { name: f.name.value.trim() });
  onward(key, t('key.added'));
});

for (const b of document.querySelectorAll('[data-remove-key]')) {
  b.addEventListener('click', async () => {
    if (!(await sure(t('key.sure', b.dataset.name), t('key.remove')))) return;
    during(b, b.closest('.row').querySelector('.problems'), async () => {
      await send('DELETE', `${passkeys}/${b.dataset.removeKey}`);
      onward(b, t('key.removed'));
    });
  });
}

for (const b of document.querySelectorAll('[data-approval]')) {
  b.addEventListener('click', () => during(b, b.closest('.row').querySelector('.problems'), async () => {
    await ceremony(`${passkeys}/${b.dataset.approval}/approval`, use);
    onward(b, t('key.asked'));
  }));
}

const form = $('password-form');
onSubmit(form, async (f) => {
  if (f.new.value !== f.again.value) throw new Problem(0, 'again', t('account.differ'), t('account.differremedy'));
  await send('POST', '/api/v1/session/password', { old: f.old?.value ?? '', new: f.new.value });
  onward(form, t('account.changed'));
});

const totp = $('totp-form');
$('totp-new')?.addEventListener('click', (event) => during(event.currentTarget, $('totp-problems'), async () => {
  const made = await send('POST', '/api/v1/session/totp');
  const picture = Uint8Array.from(atob(made.qr), (c) => c.charCodeAt(0));
  const image = totp.querySelector('.qr');
  image.src = URL.createObjectURL(new Blob([picture], { type: 'image/png' }));
  image.addEventListener('load', () => URL.revokeObjectURL(image.src), { once: true });
  totp.querySelector('.secretcode').replaceChildren(...made.secret.match(/.{1,4}/g).flatMap((g) => [el('span', {}, g), ' ']));
  totp.hidden = false;
  totp.elements.code.focus();
}));
onSubmit(totp, async (f) => {
  await send('PUT', '/api/v1/session/totp', { code: f.code.value.replaceAll(' ', '') });
  onward(totp, t('totp.done'));
});
const without = $('totp-remove');
onSubmit(without, async (f) => {
  await send('DELETE', '/api/v1/session/totp', { password: f.password.value });
  onward(without, t('totp.removed'));
});

const others = $('end-others');
others?.addEventListener('click', () => during(others, $('session-problems'), async () => {
  await send('DELETE', '/api/v1/session/others');
  onward(others, t('account.ended'));
}));

for (const b of document.querySelectorAll('[data-end-session]')) {
  b.addEventListener('click', () => during(b, b.closest('.row').querySelector('.problems'), async () => {
    await send('DELETE', `/api/v1/session/others/${b.dataset.endSession}`);
    onward(b, t('account.ended'));
  }));
}

const accept = $('accept');
onSubmit(accept, async () => {
  await send('POST', '/api/v1/conditions', { version: accept.dataset.version });
  location.assign('/');
});
