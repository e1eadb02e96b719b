const zone = element.querySelector('.drop');
const input = element.querySelector('input');
const reading = element.querySelector('.reading');

async function send(files) {
  const photos = [];
  for (const file of files) {
    reading.textContent = `Reading ${photos.length + 1} of ${files.length} …`;
    try {
      const answer = await fetch(`page/photos?name=${encodeURIComponent(file.name.slice(0, 200))}`, {
        method: 'POST', headers: {'Content-Type': 'application/octet-stream'}, body: file,
      });
      const told = await answer.json();
      photos.push(answer.ok ? {key: told.key} : {error: `${file.name}: ${told.detail}`});
    } catch (problem) {
      photos.push({error: `${file.name}: ${problem.message}`});
    }
  }
  reading.textContent = '';
  input.value = '';
  if (photos.length) trigger('photos', {photos});
}

input.addEventListener('change', () => send([...input.files]));
zone.addEventListener('dragover', (event) => { event.preventDefault(); zone.classList.add('over'); });
zone.addEventListener('dragleave', () => zone.classList.remove('over'));
zone.addEventListener('drop', (event) => {
  event.preventDefault();
  zone.classList.remove('over');
  send([...event.dataTransfer.files]);
});
document.addEventListener('paste', (event) => {
  if (element.offsetParent !== null && event.clipboardData?.files.length) send([...event.clipboardData.files]);
});
