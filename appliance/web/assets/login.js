// The log-in with a passkey: by the button, or offered in the field of the user
// name where the browser can. The form for the password needs no script.
import { during, send } from './api.js';
import { ceremony, supported, use } from './passkey.js';

const box = document.getElementById('passkey');
const form = document.getElementById('login-form');
const place = box?.querySelector('.problems');
const path = '/api/v1/session/passkey';
let offered = new AbortController();

function enter() {
  location.assign(form.elements.next.value);
}

async function offer() {
  const { signal } = offered; // the button may be pressed before the offer stands
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  const c = await send('POST', `${path}/options`);
  const response = await use(c.options, { mediation: 'conditional', signal });
  await during(document.getElementById('passkey-button'), place, async () => {
    await send('POST', path, { ceremony: c.id, response });
    enter();
  });
}

if (box && supported()) {
  box.hidden = false;
  document.getElementById('passkey-none').hidden = true;
  document.getElementById('passkey-button').addEventListener('click', (event) => {
    offered.abort(); // one question at a time
    offered = new AbortController();
    during(event.currentTarget, place, async () => {
      await ceremony(path, use);
      enter();
    });
  });
  // The offer is an extra: where it does not come, the button and the form are there.
  offer().catch((e) => { if (e.name !== 'AbortError') console.info('passkeys are not offered:', e.message); });
}
