// What the copy is to be: the least by default; more is a person's own act.
import { el, t } from './api.js';
import { place } from './draw.js';

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export class Choices extends EventTarget {
  constructor(marker, choice, where) {
    super();
    this.marker = marker;
    this.form = $('choices');
    const f = this.form.elements;
    f.mode.value = choice?.mode || 'subject-only';
    this.still = choice?.still ? { ...choice.still } : null;
    f.form.value = this.still ? 'still' : 'clip';
    f.stamp.checked = Boolean(choice?.stamp);
    f.place.value = choice?.stamp?.place ?? where ?? '';
    this.cropBox = el('div', { className: 'box crop', hidden: true });
    marker.overlay.append(this.cropBox);
    this.form.addEventListener('submit', (e) => e.preventDefault());
    this.form.addEventListener('change', (e) => {
      if (e.target.name === 'mode') f.more.checked = false;
      if (e.target.name === 'form') this.still = f.form.value === 'still' ? { at: marker.now() } : null;
      this.show();
    });
    $('still-at').addEventListener('click', () => { marker.video.pause(); this.still = { ...this.still, at: marker.now() }; this.show(); });
    $('still-crop').addEventListener('click', () => { this.cropping(!marker.crop); });
    $('still-whole').addEventListener('click', () => { delete this.still.crop; this.show(); });
    marker.addEventListener('change', () => this.show());
    marker.addEventListener('tick', () => this.box());
    this.show();
  }

  cropping(on) {
    this.marker.crop = on ? (r) => { this.still = { ...this.still, crop: r }; this.cropping(false); this.show(); } : null;
    $('still-crop').setAttribute('aria-pressed', String(on));
    $('still-says').textContent = on ? t('choice.cropnow') : this.says();
    if (on) { this.marker.go(this.still.at); $('stage-box').scrollIntoView({ block: 'center' }); }
  }

  says() {
    if (!this.still) return '';
    const at = number.format(this.still.at);
    return this.still.crop ? t('choice.stillcrop', at) : t('choice.stillis', at);
  }

  get mode() { return this.form.elements.mode.value; }

  /** more says what the copy shows beyond the least, in words; '' where it is the least. */
  get more() {
    const n = this.marker.subjects.length, all = [];
    if (this.mode === 'blur-everything') return '';
    if (this.mode === 'still-scene') all.push(t('more.scene'));
    if (n > 1) all.push(t('more.subjects', n));
    return all.join(` ${t('more.and')} `);
  }

  /** ready says whether the copy can be asked for as it is. */
  get ready() { return (this.mode === 'blur-everything' || this.marker.ready) && (this.more === '' || this.form.elements.more.checked); }

  box() {
    const c = this.still?.crop;
    this.cropBox.hidden = !c || Math.abs(this.marker.video.currentTime - this.still.at) > 0.06;
    if (c) place(this.cropBox, c);
  }

  show() {
    const f = this.form.elements, more = this.more;
    $('more').hidden = more === '';
    $('more-says').textContent = more === '' ? '' : t('more.says', more);
    if (more === '') f.more.checked = false;
    $('still-acts').hidden = !this.still;
    $('still-whole').hidden = !this.still?.crop;
    $('still-says').textContent = this.says();
    $('place').hidden = !f.stamp.checked;
    this.box();
    this.dispatchEvent(new Event('change'));
  }

  /** body is what the box is asked for. */
  get body() {
    const f = this.form.elements;
    return {
      choice: { mode: this.mode, ...(this.still && { still: this.still }), ...(f.stamp.checked && { stamp: { place: f.place.value.trim(), start: '2000-01-01T00:00:00Z' } }) },
      ...(f.more.checked && { show_more: true }),
    };
  }
}
