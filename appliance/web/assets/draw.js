// Drawing rectangles on a picture with mouse, pen or finger.
export const thousandth = (n) => Math.round(n * 1000) / 1000;

const clamp = (n) => Math.min(1, Math.max(0, n));

/** place puts an element where a rectangle in fractions of the picture is. */
export function place(e, r) {
  for (const [side, v] of [['left', r.x], ['top', r.y], ['width', r.w], ['height', r.h]]) e.style[side] = `${v * 100}%`;
}

/**
 * drawing calls begin, move(rect), done(rect) and cancel while a rectangle is
 * drawn on the overlay; a tap is no rectangle: tap(point).
 */
export function drawing(overlay, { begin, move, done, tap, cancel }) {
  const at = (e) => {
    const r = overlay.getBoundingClientRect();
    return { x: clamp((e.clientX - r.left) / r.width), y: clamp((e.clientY - r.top) / r.height) };
  };
  const rect = (a, b) => ({ x: thousandth(Math.min(a.x, b.x)), y: thousandth(Math.min(a.y, b.y)), w: thousandth(Math.abs(a.x - b.x)), h: thousandth(Math.abs(a.y - b.y)) });
  let from = null;
  overlay.addEventListener('pointerdown', (e) => {
    if (e.button || e.target.closest('button')) return;
    e.preventDefault();
    overlay.focus({ preventScroll: true });
    begin?.();
    from = at(e);
    overlay.setPointerCapture(e.pointerId);
  });
  overlay.addEventListener('pointermove', (e) => { if (from) move(rect(from, at(e))); });
  overlay.addEventListener('pointerup', (e) => {
    if (!from) return;
    const to = at(e), r = rect(from, to);
    from = null;
    if (r.w < 0.01 || r.h < 0.01) { tap?.(to); return; }
    r.w = Math.min(r.w, 1 - r.x);
    r.h = Math.min(r.h, 1 - r.y);
    done(r);
  });
  overlay.addEventListener('pointercancel', () => { from = null; cancel?.(); });
}
