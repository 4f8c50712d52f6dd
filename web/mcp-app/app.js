// Shows a diagram with its findings in an agent's window. What it shows comes from the results of our own tools.

import { ask, connect, tell } from './host.js';

const part = (id) => document.getElementById(id);
const zooms = [0.25, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4];
let input = {};
let shown = 0;
let zoom = null;

function theme(name) {
  const dark = name ? name === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  return dark ? 'dark' : 'light';
}

/** An SVG in an <img> runs no script and fetches nothing, whatever is in it. Made byte by byte: long diagrams have more
 * bytes than a call takes arguments. */
function encode(svg) {
  let bytes = '';
  for (const byte of new TextEncoder().encode(svg)) bytes += String.fromCharCode(byte);
  return `data:image/svg+xml;base64,${btoa(bytes)}`;
}

function scale() {
  const image = part('image');
  const natural = image.naturalWidth || 1;
  const room = part('picture').clientWidth - 24;
  image.style.width = `${zoom === null ? Math.min(natural, room) : natural * zooms[zoom]}px`;
  report();
}

function step(by) {
  const image = part('image');
  const now = zoom ?? zooms.findLastIndex((factor) => factor <= image.width / (image.naturalWidth || 1) + 0.01);
  zoom = Math.min(zooms.length - 1, Math.max(0, now + by));
  scale();
}

function report() {
  const { scrollWidth: width, scrollHeight: height } = document.documentElement;
  tell('ui/notifications/size-changed', { width, height });
}

function verdict(text, good) {
  part('verdict').textContent = text;
  part('verdict').className = good === undefined ? '' : good ? 'good' : 'bad';
}

function line(className, text) {
  const element = document.createElement('div');
  element.className = className;
  element.textContent = text;
  return element;
}

function showFindings(findings) {
  part('findings').replaceChildren(...findings.map((finding) => {
    const item = document.createElement('li');
    item.className = finding.severity;
    const severity = finding.severity[0].toUpperCase() + finding.severity.slice(1);
    item.append(line('where', `${severity} ${finding.code}, line ${finding.span.line}`), line('', finding.message));
    if (finding.hint) item.append(line('hint', finding.hint));
    return item;
  }));
  part('findings').hidden = findings.length === 0;
}

function showSource(code, findings) {
  const wrong = new Set(findings.filter((finding) => finding.severity === 'error').map((finding) => finding.span.line));
  part('code').replaceChildren(...code.split('\n').map((text, index) => {
    const element = document.createElement(wrong.has(index + 1) ? 'mark' : 'span');
    element.textContent = text;
    return element;
  }));
  part('source').hidden = code === '';
}

/** The picture of a result: a large one is in its content only. */
const svgOf = (result) => result.structuredContent?.svg
  ?? result.content?.find((block) => block.resource?.mimeType === 'image/svg+xml')?.resource.text;

async function draw(code, number) {
  try {
    const result = await ask('tools/call', { name: 'render_mermaid', arguments: { code, theme: document.documentElement.dataset.theme } });
    const svg = svgOf(result);
    if (number === shown && svg) showPicture(svg);
  } catch {
    // A host that lets no viewer call tools: the verdict and the source are shown all the same.
  }
}

function showPicture(svg) {
  part('image').src = encode(svg);
  part('picture').hidden = false;
  part('zoom').hidden = false;
  zoom = null;
}

function show(result) {
  shown += 1;
  const words = (result.content ?? []).filter((content) => content.type === 'text').map((content) => content.text).join('\n');
  const found = result.structuredContent;
  part('picture').hidden = true;
  part('zoom').hidden = true;
  if (result.isError || found?.valid === undefined) {
    verdict(words || 'There is no result.', false);
    showFindings([]);
    showSource('', []);
    report();
    return;
  }
  const code = found.code ?? input.code ?? input.diagram ?? '';
  const findings = found.findings ?? [];
  const who = found.validator?.version ? `Mermaid ${found.validator.version}` : 'the parser';
  const says = found.valid ? `Valid: accepted by ${who}.` : `Not valid: ${who} does not accept it.`;
  verdict(says[0].toUpperCase() + says.slice(1), found.valid);
  showFindings(findings);
  showSource(code, findings);
  part('source').open = !found.valid;
  const svg = svgOf(result);
  if (svg) showPicture(svg);
  else if (found.valid && code) draw(code, shown);
  report();
}

part('zoom').addEventListener('click', ({ target }) => {
  const way = target.dataset.zoom;
  if (way === 'in') step(1);
  if (way === 'out') step(-1);
  if (way === 'fit') {
    zoom = null;
    scale();
  }
});
part('image').addEventListener('load', scale);
part('source').addEventListener('toggle', report);
addEventListener('resize', scale);
theme();

const context = await connect({
  'ui/notifications/tool-input': (params) => { input = params.arguments ?? {}; },
  'ui/notifications/tool-result': show,
  'ui/notifications/tool-cancelled': () => verdict('The call was cancelled.'),
  'ui/notifications/host-context-changed': (params) => { if (params.theme) theme(params.theme); },
});
theme(context.theme);
report();
