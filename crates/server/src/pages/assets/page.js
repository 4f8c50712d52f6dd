// Comfort for the page: copying the source, and showing which words a part of the picture comes from.
// The page works without it.

const copy = document.querySelector('[data-copy]');
copy?.removeAttribute('hidden');
copy?.addEventListener('click', async () => {
  await navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent);
  copy.textContent = 'Copied';
});

const parts = document.querySelectorAll('[data-element], [data-elements]');

/** A part of the picture is one element; words may stand for several. */
const idsOf = (part) => part.dataset.elements ? JSON.parse(part.dataset.elements) : [part.dataset.element];

const light = (ids, on) => {
  for (const part of parts) {
    if (idsOf(part).some((id) => ids.includes(id))) part.classList.toggle('lit', on);
  }
};

for (const part of parts) {
  part.addEventListener('pointerenter', () => light(idsOf(part), true));
  part.addEventListener('pointerleave', () => light(idsOf(part), false));
}
