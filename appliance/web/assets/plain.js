// On every page: a form that is sent says so, and is sent once.
for (const form of document.querySelectorAll('form[data-wait]')) {
  form.addEventListener('submit', () => {
    const button = form.querySelector('button');
    button.setAttribute('aria-busy', 'true');
    button.textContent = form.dataset.wait;
    setTimeout(() => { button.disabled = true; });
  });
}
window.addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload(); // back to a page that may be out of date
});
