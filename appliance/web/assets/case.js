// The case's page. What it shows depends on where the case stands: the steps of
// who prepares it, all on one page for who decides, or what runs.
import { getJSON, showProblem, t, toast } from './api.js';

const root = document.getElementById('case');
const path = `/api/v1/cases/${root.dataset.id}`;
history.scrollRestoration = 'manual'; // what is new stands at the top, or where the address points

const current = await getJSON(path);
const page = await import(`./${{ steps: 'work', assess: 'verdict', running: 'running' }[root.dataset.view]}.js`);
const face = await page.begin({ root, path, current });

// Others act on the case too: it is shown where nobody is writing here.
const often = { tagged: 0, draft: 15000, redacted: 15000, refused: 15000, submitted: 5000, released: 1000, disclosed: 5000, narrowed: 5000, 'reassessment-due': 5000 }[current.state];
if (often) {
  setInterval(async () => {
    if (document.hidden || face.busy?.()) return;
    let c;
    try {
      c = await getJSON(path);
    } catch { return; /* the box is away for a moment; the next round tells */ }
    if (face.seen(c)) return;
    if (face.writing()) toast(t('case.moved')); else location.reload();
  }, often);
}

// The case's file, what is held, what was told: beside the work, in any state.
for (const name of ['fact', 'inform', 'handout', 'delete']) {
  const form = document.getElementById(`${name}-form`);
  if (!form) continue;
  const { filing } = await import('./filing.js');
  filing({ path, version: () => face.version(), disclosed: Boolean(current.disclosure) });
  break;
}
// A link to one of them opens it, and what it lies in.
const unfold = () => {
  const on = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (on?.tagName !== 'DETAILS' || on.closest('.pane')) return;
  for (let d = on; d; d = d.parentElement?.closest('details')) d.open = true;
  on.scrollIntoView({ block: 'start' });
};
addEventListener('hashchange', unfold);
const holdings = document.getElementById('holdings');
holdings?.addEventListener('toggle', async () => {
  if (!holdings.open) return;
  const { showHoldings } = await import('./filing.js');
  try { await showHoldings(path); } catch (e) { showProblem(document.getElementById('holdings-list'), e); }
});
unfold();
