// Live pictures: WebRTC by WHEP where the camera's stream can be passed on as
// it is, and else a still picture a second.
import { ask, getJSON, Problem, say, t, el } from './api.js';

const patience = 8000; // ms until stills take over

class Live {
  constructor(box) {
    this.box = box;
    this.cam = box.dataset.cam;
    this.video = box.querySelector('video');
    this.img = box.querySelector('img');
  }

  async start() {
    if (this.on || this.box.dataset.problem) return; // an old picture must not pass for a live one
    if (this.box.dataset.live !== 'true') return; // none has come yet; state() begins when it has
    this.on = true;
    this.stop = new AbortController();
    if (window.RTCPeerConnection) {
      try {
        await this.whep();
        return;
      } catch (e) {
        if (!this.on) return;
        this.closePeer();
      }
    }
    this.stills();
  }

  end() {
    this.on = false;
    this.stop?.abort();
    clearTimeout(this.timer);
    this.closePeer();
    this.img.hidden = true;
    if (!this.box.querySelector('.away, .wait')) this.box.append(el('p', { className: 'wait' }, t('camera.wait')));
  }

  closePeer() {
    const { peer, session } = this;
    this.peer = this.session = undefined;
    // The box is told first: closing the peer ends the view's address too.
    if (session) fetch(session, { method: 'DELETE', keepalive: true }).catch(() => { /* the box closes it by itself */ }).finally(() => peer?.close());
    else peer?.close();
    this.video.srcObject = null;
    this.video.hidden = true;
  }

  async whep() {
    const late = new Promise((_, no) => { setTimeout(() => no(new Error('late')), patience); });
    const peer = this.peer = new RTCPeerConnection();
    const { codecs = [] } = window.RTCRtpReceiver?.getCapabilities?.('video') ?? {};
    const ours = codecs.filter((c) => /^video\/(H265|H264|rtx)$/i.test(c.mimeType)); // what cameras send, where the browser has it
    const way = peer.addTransceiver('video', { direction: 'recvonly' });
    if (ours.some((c) => /H264/i.test(c.mimeType))) way.setCodecPreferences?.(ours);
    const shown = new Promise((yes, no) => {
      peer.ontrack = (e) => { this.video.srcObject = new MediaStream([e.track]); this.video.play().catch(() => { /* muted: starts when seen */ }); };
      this.video.onloadeddata = yes;
      peer.onconnectionstatechange = () => {
        if (!['failed', 'closed', 'disconnected'].includes(peer.connectionState)) return;
        no(new Error('gone'));
        if (this.playing && this.peer === peer) { this.playing = false; this.closePeer(); this.stills(); }
      };
    });
    shown.catch(() => { /* told below, or by the change of state */ });
    await peer.setLocalDescription(await peer.createOffer());
    await Promise.race([late, new Promise((yes) => {
      if (peer.iceGatheringState === 'complete') yes();
      peer.addEventListener('icegatheringstatechange', () => peer.iceGatheringState === 'complete' && yes());
      setTimeout(yes, 1000);
    })]);
    const answer = await Promise.race([late, ask(`/api/v1/cameras/${this.cam}/whep?stream=${this.box.dataset.stream ?? 'sub'}`, {
      method: 'POST', body: peer.localDescription.sdp, headers: { 'Content-Type': 'application/sdp' }, signal: this.stop.signal,
    })]);
    this.session = answer.headers.get('Location');
    const sdp = await answer.text();
    this.codec = /a=rtpmap:\d+ (H26[45])\//i.exec(sdp)?.[1].toUpperCase().replace('H', 'H.') ?? '';
    await peer.setRemoteDescription({ type: 'answer', sdp });
    await Promise.race([late, shown]);
    this.playing = true;
    this.show(this.video, 'webrtc');
  }

  show(what, how) {
    this.video.hidden = what !== this.video;
    this.img.hidden = what !== this.img;
    this.box.dataset.shows = how;
    const says = this.box.classList.contains('big') && document.getElementById('live-says');
    if (says) says.textContent = how === 'still' ? t('live.stills') : t('live.shows', this.codec, this.video.videoWidth, this.video.videoHeight);
    this.box.querySelector('.wait')?.remove();
    this.box.querySelector('.away')?.remove();
  }

  async stills() {
    if (!this.on) return;
    const began = performance.now();
    try {
      const blob = await (await ask(`/api/v1/cameras/${this.cam}/still.jpg`, { signal: this.stop.signal })).blob();
      const old = this.img.src;
      this.img.src = URL.createObjectURL(blob);
      await this.img.decode();
      if (old) URL.revokeObjectURL(old);
      this.show(this.img, 'still');
      this.failed = 0;
    } catch (e) {
      if (e.name === 'AbortError' || !this.on) return;
      this.failed = (this.failed ?? 0) + 1;
      this.away(e instanceof Problem ? e : new Problem(0, 'picture', t('live.broken'), t('live.waiting')));
    }
    const pause = this.failed ? Math.min(1000 * 2 ** this.failed, 15000) : 1000;
    this.timer = setTimeout(() => this.stills(), Math.max(0, pause - (performance.now() - began)));
  }

  away(p) {
    this.box.querySelector('.wait')?.remove();
    this.box.querySelector('.away')?.remove();
    this.img.hidden = true;
    this.box.append(el('div', { className: 'away' }, el('p', { className: 'cause' }, p.cause), el('p', { className: 'remedy' }, p.remedy)));
  }
}

const all = [...document.querySelectorAll('.live')].map((box) => new Live(box));

// state follows a camera that goes away or comes back.
function state(live, c) {
  const { box } = live, chip = document.querySelector(`.chip[data-state-of="${c.id}"]`);
  if (chip) {
    chip.className = `chip cam-${c.state}`;
    chip.textContent = t(`camstate.${c.state}`);
  }
  const next = document.querySelector(`[data-next-of="${c.id}"]`);
  if (next) {
    next.hidden = c.state === 'recording';
    next.textContent = t(`statenext.${c.state}`);
  }
  box.dataset.live = c.live;
  if ((c.problem?.code ?? '') === box.dataset.problem) {
    if (c.live && live.seen && !document.hidden) live.start();
    return;
  }
  box.dataset.problem = c.problem?.code ?? '';
  live.end();
  box.querySelector('.away')?.remove();
  live.img.hidden = true;
  if (c.problem) live.away({ cause: say(c.problem.cause), remedy: say(c.problem.remedy) });
  else live.start();
}
let last = 0;
setInterval(async () => {
  const wait = all.some((x) => x.box.dataset.live !== 'true') ? 2000 : 10000; // who waits for a first picture is told soon
  if (document.hidden || all.length === 0 || performance.now() - last < wait) return;
  last = performance.now();
  try {
    const cameras = await getJSON('/api/v1/cameras');
    for (const live of all) {
      const c = cameras.find((x) => x.id === live.cam);
      if (c) state(live, c);
    }
  } catch { /* the box is away for a moment; the pictures say so */ }
}, 1000);

// Only what is on the screen is fetched.
const seen = new IntersectionObserver((entries) => {
  for (const e of entries) {
    const live = all.find((x) => x.box === e.target);
    live.seen = e.isIntersecting;
    if (live.seen && !document.hidden) live.start(); else live.end();
  }
});
all.forEach((x) => seen.observe(x.box));
document.addEventListener('visibilitychange', () => {
  all.forEach((x) => (document.hidden ? x.end() : seen.unobserve(x.box) ?? seen.observe(x.box)));
});
window.addEventListener('pagehide', () => all.forEach((x) => x.end()));
