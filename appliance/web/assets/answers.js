// A case's answers as the form holds them, and back again.
import { fromLocal, iso, toLocal } from './api.js';

const texts = ['basis_words', 'repetition', 'professional', 'repeat_reasons'];
const reasons = { circle_reason: 'reason', area_reason: 'area_reason', trades_reason: 'trades_reason', chains_reason: 'chains_reason' };
const minute = (s) => (s ? toLocal(new Date(s)).slice(0, 16) : '');
const sorted = (list) => [...(list ?? [])].sort();

/** flat is a case's answers by the form's names, as the form holds them. */
export function flat(c) {
  const e = c.evidence, circle = e.circle ?? {};
  return {
    what: c.what, happened_at: toLocal(new Date(c.happened_at)), offence: e.offence, attempt: e.attempt, basis: e.basis,
    ...Object.fromEntries(texts.map((n) => [n, e[n] ?? ''])),
    value_dkk: e.value_dkk === undefined ? '' : String(e.value_dkk),
    statements: (e.statements ?? []).map((s) => ({ witness: s.witness, words: s.words, at: s.at })),
    links: (e.links ?? []).map((l) => ({ case: l.case, why: l.why })),
    report_number: e.report?.number ?? '', report_at: minute(e.report?.at), report_today: e.report_today,
    area: circle.area ?? '', place: circle.place ?? '', trades: sorted(circle.trades), chains: sorted(circle.chains), members: sorted(circle.members),
    ...Object.fromEntries(Object.entries(reasons).map(([n, k]) => [n, circle[k] ?? ''])),
    next_reassessment: e.next_reassessment ? toLocal(new Date(e.next_reassessment)).slice(0, 10) : '',
    doubtful: e.doubtful, first_of_kind: e.first_of_kind,
  };
}

/** change makes of answers what the box takes; what the form doesn't ask stays. */
export function change(f, c) {
  const e = { ...c.evidence };
  Object.assign(e, { offence: f.offence, attempt: f.attempt, basis: f.basis, report_today: f.report_today, doubtful: f.doubtful, first_of_kind: f.first_of_kind });
  for (const n of texts) e[n] = f[n];
  if (f.value_dkk === '') delete e.value_dkk; else e.value_dkk = Number(f.value_dkk);
  e.statements = f.statements;
  e.links = f.links;
  if (f.report_number) {
    const at = fromLocal(f.report_at);
    e.report = { ...e.report, number: f.report_number, at: at ? iso(at) : '0001-01-01T00:00:00Z' };
  } else delete e.report;
  e.circle = { ...e.circle, area: f.area, place: f.area === 'country' ? '' : f.place, trades: f.trades, chains: f.chains, members: f.members };
  for (const [n, k] of Object.entries(reasons)) e.circle[k] = f[n];
  if (f.next_reassessment) e.next_reassessment = iso(fromLocal(`${f.next_reassessment}T12:00:00`)); else delete e.next_reassessment;
  return { version: c.version, what: f.what, happened_at: iso(fromLocal(f.happened_at) ?? new Date(c.happened_at)), evidence: e };
}

// What the law holds to be grave enough by itself, and the value above which the
// rest is: there the question of repetition and organisation falls away.
const grave = ['card-fraud', 'robbery', 'till-snatch'];
const trivial = 500;

/** graveAlone says whether nothing more is to be asked about how grave it is. */
export const graveAlone = (f) => grave.includes(f.offence) || (f.value_dkk !== '' && Number(f.value_dkk) > trivial);
