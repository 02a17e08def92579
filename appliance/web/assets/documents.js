// The papers of a case: the receipt of the police, a statement. They are sent as
// they are, kept sealed, and only ever saved, never shown.
import { ask, el, onSubmit, Problem, send, showProblem, t, toast, whenOf } from './api.js';

const $ = (id) => document.getElementById(id);
const most = 10 * 1024 * 1024;

const size = (n) => (n < 1024 * 1024 ? t('doc.kb', Math.max(1, Math.round(n / 1024))) : t('doc.mb', (n / 1024 / 1024).toFixed(1).replace('.', document.documentElement.lang === 'da' ? ',' : '.')));

/** papers lists documents as links that save them. */
export function papers(c, path, removed, tag = 'li') {
  return (c.documents ?? []).map((d) => el(tag, { className: 'paper', 'data-document': d.id },
    el('a', { href: `${path}/documents/${d.id}`, download: d.name, 'data-testid': `document-${d.kind}` }, d.name),
    el('span', { className: 'hint' }, `${t(`doc.${d.kind}`)} · ${size(d.size)} · ${d.by_name}, ${whenOf(new Date(d.added))}`),
    removed ? el('button', { type: 'button', className: 'quiet', 'aria-label': t('doc.removeit', d.name), onclick: (e) => removed(d, e.target) }, t('doc.remove')) : null));
}

export class Documents {
  /** changed is called with the case's path once a document came or went. */
  constructor(path, changed) {
    Object.assign(this, { path, changed });
    for (const input of [$('document-file'), $('document-photo')]) {
      input.addEventListener('change', async () => {
        for (const f of input.files) await this.add(f);
        input.value = '';
      });
    }
    const place = $('document-drop');
    place.addEventListener('dragover', (e) => { e.preventDefault(); place.classList.add('over'); });
    place.addEventListener('dragleave', () => place.classList.remove('over'));
    place.addEventListener('drop', async (e) => {
      e.preventDefault();
      place.classList.remove('over');
      for (const f of e.dataTransfer.files) await this.add(f);
    });
  }

  async add(file) {
    const says = $('document-says'), problems = $('document-problems');
    problems.replaceChildren();
    try {
      if (file.size > most) throw new Problem(413, 'document.large', t('doc.large'), t('doc.largeremedy'));
      says.textContent = t('doc.sending', file.name);
      const q = new URLSearchParams({ kind: $('document-kind').value, name: file.name.slice(0, 120) });
      await ask(`${this.path}/documents?${q}`, { method: 'POST', body: file, headers: { 'Content-Type': file.type || 'application/octet-stream' } });
      says.textContent = t('doc.sent', file.name);
      await this.changed();
    } catch (e) {
      says.textContent = '';
      showProblem(problems, e);
    }
  }

  show(c, may) {
    const remove = (d, button) => {
      const form = el('form', { className: 'form inline' }, el('label', {}, t('doc.why'), el('input', { name: 'reason', required: true, maxLength: 300, 'data-testid': 'document-reason' })),
        el('div', { className: 'problems' }), el('div', { className: 'bar' }, el('button', { className: 'danger', 'data-testid': 'document-remove-sure' }, t('doc.remove'))));
      onSubmit(form, async (f) => {
        await send('DELETE', `${this.path}/documents/${d.id}`, { reason: f.reason.value.trim() });
        toast(t('doc.removed'));
        await this.changed();
      });
      button.replaceWith(form);
      form.elements.reason.focus();
    };
    $('documents').replaceChildren(...papers(c, this.path, may ? remove : null));
    $('document-add').hidden = !may;
  }
}
