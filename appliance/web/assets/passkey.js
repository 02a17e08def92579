// Passkeys in the browser: the box's options in, what the browser made out, both
// as JSON. A browser that cannot turn them into bytes by itself is helped.
import { Problem, send, t } from './api.js';

/** supported says whether this browser, at this address, has passkeys. */
export const supported = () => Boolean(window.isSecureContext && window.PublicKeyCredential && navigator.credentials);

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const listed = (all) => all?.map((c) => ({ ...c, id: bytes(c.id) }));

function creation(o) {
  if (PublicKeyCredential.parseCreationOptionsFromJSON) return PublicKeyCredential.parseCreationOptionsFromJSON(o);
  return { ...o, challenge: bytes(o.challenge), user: { ...o.user, id: bytes(o.user.id) }, excludeCredentials: listed(o.excludeCredentials) };
}

function request(o) {
  if (PublicKeyCredential.parseRequestOptionsFromJSON) return PublicKeyCredential.parseRequestOptionsFromJSON(o);
  return { ...o, challenge: bytes(o.challenge), allowCredentials: listed(o.allowCredentials) };
}

function plain(c) {
  try {
    if (c.toJSON) return c.toJSON();
  } catch { /* some managers of passkeys give one that cannot write itself */ }
  const response = {};
  for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
    if (c.response[name]) response[name] = text(c.response[name]);
  }
  const transports = c.response.getTransports?.();
  if (transports) response.transports = transports;
  return { id: c.id, rawId: text(c.rawId), type: c.type, authenticatorAttachment: c.authenticatorAttachment, clientExtensionResults: c.getClientExtensionResults(), response };
}

// What the browser says when it makes or uses no passkey, in words.
function told(e) {
  const problem = (name) => new Problem(0, `passkey.${name}`, t(`passkey.${name}`), t(`passkey.${name}remedy`));
  switch (e.name) {
    case 'InvalidStateError': return problem('twice');
    case 'SecurityError': return problem('address');
    case 'NotSupportedError': return problem('kind');
    case 'NotAllowedError': return problem('stopped');
    default: return e;
  }
}

/** make has the browser make a passkey and returns what it answers, as JSON. */
export async function make(options) {
  try {
    return plain(await navigator.credentials.create({ publicKey: creation(options) }));
  } catch (e) {
    throw told(e);
  }
}

/** use has the browser sign with a passkey and returns what it answers, as JSON. */
export async function use(options, more = {}) {
  try {
    return plain(await navigator.credentials.get({ publicKey: request(options), ...more }));
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw told(e);
  }
}

/** ceremony asks the box for options at path, lets work answer them, and gives
 * the box the answer with what more there is to say. */
export async function ceremony(path, work, more = {}) {
  const c = await send('POST', `${path}/options`);
  return send('POST', path, { ...more, ceremony: c.id, response: await work(c.options) });
}
