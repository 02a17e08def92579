// Two people's answers into one. Pure: no page, no network, so that a test can
// ask it anything. Answers are flat objects; a value is text, a boolean or a list.

export const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

// Answers that mean something only together are merged as one.
const together = [['area', 'place', 'trades', 'chains', 'members'], ['report_number', 'report_at'], ['basis', 'basis_words']];
// Lists in which each entry stands for itself: nothing that either added is lost.
const entries = ['statements', 'links'];

const key = (x) => JSON.stringify(x);

/** join merges two lists of entries: what either added stays, what either took
 * away goes; an entry that both rewrote stays twice, for a person to see. */
export function join(base, mine, theirs) {
  const has = (list, x) => list.some((y) => key(y) === key(x));
  const kept = base.filter((x) => has(mine, x) && has(theirs, x));
  const added = [...mine, ...theirs].filter((x) => !has(base, x));
  return [...kept, ...added.filter((x, i) => added.findIndex((y) => key(y) === key(x)) === i)];
}

/**
 * merge takes what both started from, what was answered here and what is saved.
 * It returns the answers, with mine where both changed the same; both, the groups
 * of names that both changed to something else; and taken, the names that now
 * hold theirs.
 */
export function merge(base, mine, theirs) {
  const answers = { ...mine }, both = [], taken = [];
  const left = new Set(Object.keys({ ...theirs, ...mine }));
  const groups = together.filter((g) => g.some((n) => left.has(n)));
  for (const g of groups) for (const n of g) left.delete(n);
  for (const group of [...groups, ...[...left].map((n) => [n])]) {
    const apart = (a, b) => group.filter((n) => !same(a[n], b[n]));
    if (apart(mine, theirs).length === 0) continue;
    if (apart(theirs, base).length === 0) continue;
    if (apart(mine, base).length === 0) {
      for (const n of apart(theirs, mine)) { answers[n] = theirs[n]; taken.push(n); }
    } else if (entries.includes(group[0])) {
      [answers[group[0]]] = [join(base[group[0]] ?? [], mine[group[0]] ?? [], theirs[group[0]] ?? [])];
      taken.push(group[0]);
    } else both.push(group);
  }
  return { answers, both, taken };
}

/** settle puts theirs in for a group that both changed. */
export function settle(answers, theirs, group) {
  const out = { ...answers };
  for (const n of group) out[n] = theirs[n];
  return out;
}
