// On each page of someone who is logged in: forms say when they are at work,
// and a video that fails says why.
import './plain.js';
import { ask, showProblem, el } from './api.js';

document.addEventListener('error', async (event) => {
  const video = event.target;
  if (!(video instanceof HTMLVideoElement) || !video.getAttribute('src') || video.dataset.managed) return;
  let place = video.nextElementSibling;
  if (!place?.classList.contains('video-problem')) {
    place = el('div', { className: 'video-problem' });
    video.after(place);
  }
  try { // the element cannot tell the answer's words; ask for its first bytes
    await ask(video.src, { headers: { Range: 'bytes=0-0' } });
  } catch (e) {
    showProblem(place, e);
  }
}, true);

document.addEventListener('playing', (event) => {
  const place = event.target.nextElementSibling;
  if (place?.classList.contains('video-problem')) place.replaceChildren();
}, true);
