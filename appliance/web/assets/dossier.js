// The nine conditions with what answers them: for who submits, for who decides,
// and for who looks later.
import { el, say, t, whenOf, dayOf } from './api.js';
import { papers } from './documents.js';
import { stepOf } from './steps.js';

const kr = (n) => t('dossier.kr', new Intl.NumberFormat(document.documentElement.lang).format(n));

/** shopsOf says how many a circle is. */
export const shopsOf = (n, people) => (people > 0 ? (n === 1 ? t('circle.person', people) : t('circle.people', n, people)) : n === 1 ? t('dossier.shop') : t('dossier.shops', n));

/** facts are what a case holds for each condition, as pairs of what and words. */
function facts(c, path, view) {
  const e = c.evidence, k = e.circle ?? {}, when = (s) => whenOf(new Date(s));
  const list = (l) => l.filter((x) => x[1] !== '' && x[1] !== undefined && x[1] !== null);
  const docs = (kind) => papers({ documents: (c.documents ?? []).filter((d) => d.kind === kind) }, path, null, 'span');
  const names = (ids) => ids.map((id) => view.members?.find((m) => m.id === id)?.name ?? id);
  const circle = (k.members ?? []).length;
  return {
    V1: list([[t('field.what'), c.what], [t('field.offence'), e.offence ? t(`offence.${e.offence}`) + (e.attempt ? ` (${t('case.attempt')})` : '') : ''], [t('field.happened_at'), when(c.happened_at)],
      [t('field.basis'), e.basis ? t(`form.basis.${e.basis}`) : ''], [t('field.basis_words'), e.basis_words],
      ...(e.statements ?? []).map((s) => [`${t('field.statements')}: ${s.witness}`, `“${s.words}” (${when(s.at)})`]),
      ...docs('statement').map((d) => [t('doc.statement'), d])]),
    V2: list([[t('field.value_dkk'), e.value_dkk === undefined ? t('value.unknown') : kr(e.value_dkk)], [t('field.repetition'), e.repetition], [t('field.professional'), e.professional],
      ...(e.links ?? []).map((l) => [t('field.links'), el('span', {}, el('a', { href: `/cases/${l.case}` }, t('link.case', l.case.slice(0, 6))), ` ${l.why}`)])]),
    V3: list([[t('field.repeat_reasons'), e.repeat_reasons]]),
    V4: list([[t('field.report_number'), e.report ? `${e.report.number}, ${when(e.report.at)}` : e.report_today ? t('dossier.today') : ''], ...docs('receipt').map((d) => [t('doc.receipt'), d])]),
    V5: list([[t('dossier.copy'), c.copy ? (c.copy.passed ? t('dossier.passed') : t('dossier.failed')) : '']]),
    V6: list([[t('field.area'), k.area ? `${t(`form.area.${k.area}`)}${k.place ? `: ${k.place}` : ''}` : ''], [t('field.area_reason'), k.area_reason],
      [t('field.trades'), (k.trades ?? []).join(', ')], [t('field.trades_reason'), k.trades_reason], [t('field.chains'), (k.chains ?? []).join(', ')], [t('field.chains_reason'), k.chains_reason],
      [t('field.circle_reason'), k.reason],
      [t('field.members'), circle === 0 ? '' : el('details', {}, el('summary', {}, shopsOf(circle, view.people)), el('p', {}, names(k.members).join(', ')))]]),
    V7: list([[t('dossier.tagged'), `${c.tagged.name}, ${c.tagged.authorisation.function}`], [t('dossier.submitted'), c.submitted_by?.name ?? '']]),
    V8: list([[t('field.next_reassessment'), e.next_reassessment ? dayOf(new Date(e.next_reassessment)) : ''], [t('dossier.ends'), c.disclosure ? when(c.disclosure.not_after) : t('dossier.days')]]),
    V9: list([[t('dossier.flags'), [e.doubtful && t('form.doubtful'), e.first_of_kind && t('form.first')].filter(Boolean).join(', ')],
      ...(c.assessments ?? []).map((a) => [t(`decision.${a.decision}`), `${a.assessor.name}, ${when(a.at)}: ${a.reasons}`])]),
  };
}

/** dossier draws all nine into place. With steps, what is missing links to where it is answered. */
export function dossier(place, c, path, { steps = false, members = [], people = 0 } = {}) {
  const held = facts(c, path, { members, people });
  const drawn = (c.findings ?? []).map((f) => {
    const lacks = (c.missing ?? []).filter((m) => m.condition === f.condition);
    const mine = lacks.filter((m) => !m.by_assessor);
    const state = lacks.length === 0 ? 'met' : mine.length > 0 ? 'unmet' : 'waits';
    return el('li', { className: `finding ${state}`, 'data-condition': f.condition, 'data-state': state },
      el('div', { className: 'findinghead' }, el('span', { className: 'v', 'aria-hidden': 'true' }, f.condition),
        el('h3', {}, say(f.title)), el('span', { className: 'stand' }, t(`dossier.${state}`))),
      ...(f.due && lacks.length === 0 ? [el('p', { className: 'warn' }, t('dossier.due', whenOf(new Date(f.due))))] : []),
      lacks.length > 0 ? el('ul', { className: 'lacks' }, ...(mine.length > 0 ? mine : lacks).map((m) => el('li', { 'data-code': m.code }, say(m.text)))) : null,
      state === 'unmet' ? el('p', { className: 'hint' }, `${t('dossier.law')} ${say(f.why ?? f.asks)} (${f.source})`) : null,
      steps && state === 'unmet' ? el('p', {}, el('a', { href: `#${stepOf[f.condition]}`, className: 'button', 'data-testid': `fix-${f.condition}` }, t('dossier.fix'))) : null,
      held[f.condition].length > 0 ? el('dl', { className: 'held' }, ...held[f.condition].map(([k, v]) => el('div', {}, el('dt', {}, k), el('dd', {}, v)))) : null,
      state !== 'unmet' ? el('details', { className: 'whyasked' }, el('summary', {}, t('dossier.whylaw')), el('p', { className: 'hint' }, `${say(f.why ?? f.asks)} (${f.source})`)) : null);
  });
  // What says the same stays where it is: it may be open, or have the focus.
  drawn.forEach((now, i) => {
    const old = place.children[i];
    if (!old) place.append(now);
    else if (!now.isEqualNode(folded(old))) old.replaceWith(now);
  });
  while (place.children.length > drawn.length) place.lastElementChild.remove();
}

function folded(e) {
  const c = e.cloneNode(true);
  for (const d of c.querySelectorAll('details[open]')) d.open = false;
  return c;
}
