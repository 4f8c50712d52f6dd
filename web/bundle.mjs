// Makes what the binary embeds, into the folder given as the first argument:
//   mermaid.js.gz   Mermaid's own parser for the embedded engine, without its renderers
//   fonts/*.ttf.gz  the fonts that pictures are measured and painted with
//   fonts/*.woff2   the same for browsers
//   mcp-app.html    the viewer that agents show beside a result, in one file
// Run by crates/mermend/build.rs when something it is made from has changed, and by `cargo xtask bundle`.

import { build } from 'esbuild';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

const out = process.argv[2] ?? path.join(import.meta.dirname, 'dist');
const here = (...parts) => path.join(import.meta.dirname, ...parts);
fs.mkdirSync(path.join(out, 'fonts'), { recursive: true });

/** Replaces `from` by `to`, and refuses when the text is not there exactly once: a new Mermaid must be looked at. */
function replaceOnce(text, from, to) {
  const count = text.split(from).length - 1;
  if (count !== 1) throw new Error(`expected one, found ${count} of: ${from}`);
  return text.replace(from, () => to);
}

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

// The lexers try one rule after the other at the beginning of what is left of the text. A rule that begins with `^` and does
// not match there is tried at every later place too, in the embedded engine: the time of a parse grew with the square of the
// text. A sticky rule is tried at the beginning alone, and says the same.
const STICKY = /this\._input\.match\(this\.rules\[rules\[i\]\]\)/g;
function stickyRules(text) {
  const uses = text.match(STICKY)?.length ?? 0;
  const lexers = text.split('this._input.match(').length - 1;
  if (uses !== lexers) throw new Error(`${lexers - uses} lexers read their rules in another way than is known here`);
  return text.replace(STICKY, 'globalThis.matchRule(this, rules[i])');
}

// Mermaid copies its whole configuration each time that a label is read, which is nine tenths of the time of a parse.
// Here it is computed once for each set of inputs and shared, frozen; whoever is handed it to write gets a copy.
const sharedConfig = {
  name: 'shared-config',
  setup(b) {
    b.onLoad({ filter: /mermaid[\\/]dist[\\/].*\.mjs$/ }, ({ path: file }) => {
      const source = fs.readFileSync(file, 'utf8');
      let text = stickyRules(source);
      if (text.includes('// src/Diagram.ts')) {
        text = replaceOnce(text, 'const config = getConfig();\n    const type = detectType', 'const config = writableConfig(getConfig());\n    const type = detectType');
        text = replaceOnce(text, 'diagramType = detectType(processed.code.cleaned, getConfig());', 'diagramType = detectType(processed.code.cleaned, writableConfig(getConfig()));');
        // Errors count lines in this text, not in what was handed in.
        text = replaceOnce(text, 'const textToParse = encodeEntities(source) + "\\n";', 'globalThis.parsedSource = source;\n    const textToParse = encodeEntities(source) + "\\n";');
        text += `
var writableConfig = (config) => Object.fromEntries(Object.entries(config).map(([key, value]) =>
  [key, value && typeof value === "object" && !Array.isArray(value) && key !== "themeVariables" ? { ...value } : value]));
`;
      } else if (text.includes('// src/config.ts')) {
        text = replaceOnce(text, 'var updateCurrentConfig = /* @__PURE__ */ __name((siteCfg, _directives) => {', `
var computedConfigs = new WeakMap();
var deepFreeze = (value) => {
  if (value && typeof value === "object" && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
};
var updateCurrentConfig = (base, layers) => {
  if (directives.some((d) => !d || Object.keys(d).length > 0)) return deepFreeze(computeCurrentConfig(base, layers));
  if (!computedConfigs.has(base)) computedConfigs.set(base, new Map());
  const computed = computedConfigs.get(base);
  const key = diagramConfigKey + JSON.stringify(layers);
  if (!computed.has(key)) computed.set(key, deepFreeze(computeCurrentConfig(base, layers)));
  currentConfig = computed.get(key);
  return currentConfig;
};
var computeCurrentConfig = /* @__PURE__ */ __name((siteCfg, _directives) => {`);
        text = replaceOnce(text, 'return assignWithDepth_default({}, currentConfig);', 'return globalThis.copyConfig ? assignWithDepth_default({}, currentConfig) : currentConfig;');
        // A changed site configuration must be another object, or the shared results would go stale.
        text = text.replaceAll('siteConfig = assignWithDepth_default(siteConfig, conf);', 'siteConfig = assignWithDepth_default({ ...siteConfig }, conf);');
      } else if (text.includes('// src/diagrams/user-journey/journeyRenderer.ts')) {
        text = replaceOnce(text, 'var conf = getConfig().journey;', 'var conf = { ...getConfig().journey };');
      } else if (text === source) {
        return undefined;
      }
      return { contents: text, loader: 'js' };
    });
  },
};

const { outputFiles: [engine] } = await build({
  entryPoints: [here('mermaid/entry.js')],
  bundle: true, write: false, minify: true, format: 'iife', target: 'es2022', legalComments: 'none',
  plugins: [stubs, sharedConfig], logLevel: 'error',
});
const gzip = (bytes) => zlib.gzipSync(bytes, { level: 9 });
fs.writeFileSync(path.join(out, 'mermaid.js.gz'), gzip(engine.contents));

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
page = replaceOnce(page, '/* style.css */', await viewer('style.css', {}));
page = replaceOnce(page, '/* app.js */', (await viewer('app.js', { format: 'esm', target: 'es2022' })).replaceAll('</script', '<\\/script'));
fs.writeFileSync(path.join(out, 'mcp-app.html'), page);
