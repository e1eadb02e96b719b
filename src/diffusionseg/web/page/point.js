element.addEventListener('click', (event) => {
  if (!event.target.matches('img.pointed')) return;
  const box = event.target.getBoundingClientRect();
  trigger('point', {x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height});
});
