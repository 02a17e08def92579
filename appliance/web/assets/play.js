// Playing what the box has. Where the browser cannot play what the camera sent,
// the box is asked for the same as H.264; where the network or the box fails
// midway, playing goes on from the same second.
import { ask, el, Problem, showProblem, t } from './api.js';

const kinds = { 'H.264': 'avc1.640028', 'H.265': 'hvc1.1.6.L123.B0' };
const tries = 6;
const pause = (ms) => new Promise((r) => { setTimeout(r, ms); });

/** plays says whether this browser plays what a camera of that codec sends. */
export function plays(codec) {
  if (!codec) return true; // not known: try it
  if (!kinds[codec]) return false;
  const kind = `video/mp4; codecs="${kinds[codec]}"`;
  return document.createElement('video').canPlayType(kind) !== '' || Boolean(window.MediaSource?.isTypeSupported(kind));
}

export class Playback {
  /** making: where "being prepared" is told; place: where a problem is. */
  constructor(video, making, place) {
    Object.assign(this, { video, making, place, run: 0 });
    video.dataset.managed = '1';
    video.addEventListener('error', () => this.failed());
    video.addEventListener('waiting', () => { // the browser asks again by itself for a while
      clearTimeout(this.slow);
      this.slow = setTimeout(() => { if (!this.making.childElementCount) this.making.replaceChildren(el('p', { className: 'hint' }, t('play.waiting'))); }, 2000);
    });
    video.addEventListener('playing', () => { clearTimeout(this.slow); this.making.replaceChildren(); this.place.replaceChildren(); });
    video.addEventListener('timeupdate', () => {
      if (video.error || video.currentTime === 0) return;
      this.at = video.currentTime;
      if (this.at > (this.cut ?? 0) + 2) this.again = 0; // past the place that failed
    });
  }

  /** load shows path; the promise ends when the video has been given its source. */
  async load(path, codec) {
    Object.assign(this, { path, at: 0, cut: 0, again: 0, made: false });
    this.run++;
    this.place.replaceChildren();
    this.making.replaceChildren();
    if (plays(codec)) this.source(path); else await this.prepare();
  }

  source(path) {
    this.video.src = path;
    if (this.at > 0) this.video.addEventListener('loadedmetadata', () => { this.video.currentTime = this.at; }, { once: true });
  }

  /** prepare has the box make the video anew, and says how far it is. */
  async prepare() {
    const run = this.run, path = `${this.path}${this.path.includes('?') ? '&' : '?'}as=h264`;
    const bar = el('progress', { max: 100 }), says = el('p', { className: 'big', 'data-testid': 'making' }, t('play.making'));
    this.making.replaceChildren(says, bar, el('p', { className: 'hint' }, t('play.why')));
    for (;;) {
      const answer = await ask(path, { headers: { Range: 'bytes=0-0' } });
      if (run !== this.run) return;
      if (answer.status !== 202) break;
      const p = await answer.json();
      if (p.total > 0) {
        bar.value = (100 * p.done) / p.total;
        says.textContent = `${t('play.making')} ${Math.floor(bar.value)} %`;
      } else if (p.stage === 'queued') says.textContent = t('stage.queued');
      await pause(700);
    }
    this.making.replaceChildren();
    this.made = true;
    this.source(path);
  }

  async failed() {
    const { video, run } = this;
    if (!this.path || !video.getAttribute('src')) return;
    const code = video.error?.code;
    try {
      const answer = await ask(video.src, { headers: { Range: 'bytes=0-0' } }); // the box's own words, if it has any
      if (run !== this.run) return;
      if (answer.status === 202 || ((code === 3 || code === 4) && !this.made && this.at === 0)) { // the browser, not the box
        await this.prepare();
        await video.play();
        return;
      }
    } catch (e) {
      if (e.name === 'NotAllowedError' || e.name === 'AbortError' || run !== this.run) return;
      if (!(e instanceof Problem) || (e.status > 0 && e.status < 500)) { showProblem(this.place, e); return; }
    }
    this.cut = this.at;
    if (++this.again > tries) {
      showProblem(this.place, new Problem(0, 'broken', t('play.broken'), t('play.brokenremedy')));
      return;
    }
    this.making.replaceChildren(el('p', { className: 'warn', 'data-testid': 'again' }, t('play.again')));
    await pause(Math.min(8000, 500 * 2 ** this.again));
    if (run !== this.run) return;
    this.source(video.getAttribute('src').split('#')[0]);
    video.play().catch(() => { /* a failed video says so itself */ });
  }
}
