// How far the making of a copy is.
import { ask, during, getJSON, Problem, say, seconds, showProblem, t } from './api.js';

const $ = (id) => document.getElementById(id);
const pause = (ms) => new Promise((r) => { setTimeout(r, ms); });
let following = false;

/** follow shows the progress until the copy is there or nothing is made any more,
 * and returns the case as it is then. */
export async function follow(path) {
  if (following) return null;
  following = true;
  const box = $('progress'), problems = box.querySelector('.problems');
  box.hidden = $('cancel').hidden = false;
  const began = performance.now();
  let first = null;
  try {
    for (;;) {
      let p;
      try {
        p = await getJSON(`${path}/progress`);
      } catch (e) {
        showProblem(problems, e);
        await pause(3000);
        continue;
      }
      problems.replaceChildren();
      if (p.preview && $('preview').dataset.n !== String(p.preview)) {
        $('preview').dataset.n = p.preview;
        $('preview').hidden = false;
        $('preview').querySelector('img').src = `${path}/preview.jpg?n=${p.preview}`;
      }
      const stage = t(`stage.${p.stage}`);
      if ($('stage').textContent !== stage) $('stage').textContent = stage; // said once
      const share = p.total > 0 ? p.done / p.total : null;
      if (share === null) $('bar').removeAttribute('value'); else $('bar').value = share * 100;
      first = first?.stage === p.stage ? first : { stage: p.stage, at: performance.now(), done: p.done };
      const speed = (p.done - first.done) / (performance.now() - first.at);
      $('left').textContent = share === null || p.stage === 'write' ? '' : // written bytes are no pictures
         t('progress.frames', p.done, p.total) +
        (speed > 0 && performance.now() - began > 2000 ? ` · ${t('progress.left', seconds(Math.ceil((p.total - p.done) / speed / 1000)))}` : '');
      if (p.running) {
        await pause(500);
        continue;
      }
      const now = await getJSON(path).catch(() => null);
      if (now && now.state !== 'tagged') {
        if (p.problem) {
          showProblem(problems, new Problem(0, p.problem.code, say(p.problem.cause), say(p.problem.remedy)));
          $('cancel').hidden = true;
        } else box.hidden = true;
        return now;
      }
      await pause(2000); // done, and not yet in the case
    }
  } finally {
    following = false;
  }
}

/** cancelling lets the button stop the making. */
export function cancelling(path) {
  $('cancel').addEventListener('click', () => during($('cancel'), document.querySelector('#progress .problems'), () => ask(`${path}/progress`, { method: 'DELETE' })));
}
