element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-n]');
  if (!button) return;
  for (const other of element.querySelectorAll('button[data-n]')) other.setAttribute('aria-pressed', other === button);
  trigger('pick', {n: Number(button.dataset.n)});
});
