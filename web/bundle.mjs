// Makes what the binary embeds, into the folder given as the first argument:
//   mermaid.parts   Mermaid's own parser for the embedded engine, without its renderers
//   fonts/*.ttf.gz  the fonts that pictures are measured and painted with
//   fonts/*.woff2   the same for browsers
//   mcp-app.html    the viewer that agents show beside a result, in one file
// Run by crates/mermend/build.rs when something it is made from has changed, and by `cargo xtask bundle`.

import { build } from 'esbuild';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { mermaidSources, replaceExactly } from './mermaid/sources.mjs';

const out = process.argv[2] ?? path.join(import.meta.dirname, 'dist');
const here = (...parts) => path.join(import.meta.dirname, ...parts);
fs.mkdirSync(path.join(out, 'fonts'), { recursive: true });

// Only drawing needs these.
const RENDERERS = /^(dompurify|cytoscape.*|katex|roughjs.*|d3-sankey|dagre-d3-es.*|elkjs.*|@iconify\/.*)$/;
const stubs = {
  name: 'stubs',
  setup(b) {
    b.onResolve({ filter: RENDERERS }, ({ path }) => ({ path, namespace: 'stub' }));
    b.onLoad({ filter: /.*/, namespace: 'stub' }, ({ path }) => ({
      loader: 'js',
      // Without a DOM the purifier returns its input, as it does itself where it is not supported.
      contents: path === 'dompurify'
        ? 'export default { sanitize: (text) => text, addHook() {}, removeHook() {} };'
        : 'module.exports = new Proxy(function () {}, { get: (_, key) => key === "__esModule" ? undefined : () => {} });',
    }));
  },
};

const gzip = (bytes) => zlib.gzipSync(bytes, { level: 9 });

// In parts, because the embedded engine compiles all that it is given: a kind of diagram is read when it is first met.
const engine = { bundle: true, write: false, minify: true, target: 'es2022', legalComments: 'none', logLevel: 'error' };
const { outputFiles: [host] } = await build({ ...engine, entryPoints: [here('mermaid/host.js')], format: 'iife' });
const { outputFiles: modules } = await build({
  ...engine, entryPoints: [here('mermaid/entry.js')], format: 'esm', splitting: true, outdir: '/',
  plugins: [stubs, mermaidSources],
});
const parts = [['host.js', host], ...modules.map((module) => [path.basename(module.path), module])]
  .map(([name, { contents }]) => [name, gzip(contents)]);
// One line that names the parts and their lengths, then the parts.
const index = `${parts.map(([name, { length }]) => `${name} ${length}`).join(' ')}\n`;
const bytes = [Buffer.from(index), ...parts.map(([, part]) => part)];
fs.writeFileSync(path.join(out, 'mermaid.parts'), Buffer.concat(bytes));

/** WOFF 1.0 (https://www.w3.org/TR/WOFF/) to the OpenType file inside it: every table is stored or deflated. */
function openType(woff) {
  const tables = Array.from({ length: woff.readUInt16BE(12) }, (_, i) => {
    const at = 44 + 20 * i;
    const [offset, stored, length, checksum] = [4, 8, 12, 16].map((o) => woff.readUInt32BE(at + o));
    const bytes = woff.subarray(offset, offset + stored);
    return { tag: woff.subarray(at, at + 4), checksum, data: stored < length ? zlib.inflateSync(bytes) : bytes };
  });
  const log = Math.floor(Math.log2(tables.length));
  const head = Buffer.alloc(12 + 16 * tables.length);
  head.writeUInt32BE(woff.readUInt32BE(4), 0);
  [tables.length, 16 * 2 ** log, log, 16 * (tables.length - 2 ** log)].forEach((n, i) => head.writeUInt16BE(n, 4 + 2 * i));
  const parts = [head];
  let offset = head.length;
  tables.forEach(({ tag, checksum, data }, i) => {
    const at = 12 + 16 * i;
    tag.copy(head, at);
    [checksum, offset, data.length].forEach((n, j) => head.writeUInt32BE(n, at + 4 + 4 * j));
    const padding = (4 - (data.length % 4)) % 4;
    parts.push(data, Buffer.alloc(padding));
    offset += data.length + padding;
  });
  return Buffer.concat(parts);
}

for (const subset of ['latin', 'latin-ext', 'cyrillic', 'greek', 'vietnamese']) {
  for (const weight of [400, 700]) {
    const from = here('node_modules/@fontsource/inter/files', `inter-${subset}-${weight}-normal`);
    const to = path.join(out, 'fonts', `inter-${subset}-${weight}`);
    fs.writeFileSync(`${to}.ttf.gz`, gzip(openType(fs.readFileSync(`${from}.woff`))));
    fs.copyFileSync(`${from}.woff2`, `${to}.woff2`);
  }
}
for (const [file, name] of [['DejaVuSans', 'dejavu-sans-400'], ['DejaVuSans-Bold', 'dejavu-sans-700']]) {
  fs.writeFileSync(path.join(out, 'fonts', `${name}.ttf.gz`), gzip(fs.readFileSync(here(`node_modules/dejavu-fonts-ttf/ttf/${file}.ttf`))));
}

// In one file, because a host shows nothing but the page that it was given.
const viewer = async (entry, options) => {
  const { outputFiles: [file] } = await build({ entryPoints: [here('mcp-app', entry)], bundle: true, write: false, minify: true, logLevel: 'error', ...options });
  return file.text.trim();
};
let page = fs.readFileSync(here('mcp-app/app.html'), 'utf8');
page = replaceExactly(page, '/* style.css */', await viewer('style.css', {}));
page = replaceExactly(page, '/* app.js */', (await viewer('app.js', { format: 'esm', target: 'es2022' })).replaceAll('</script', '<\\/script'));
fs.writeFileSync(path.join(out, 'mcp-app.html'), page);
