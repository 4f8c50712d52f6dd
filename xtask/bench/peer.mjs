// mermaid.js in Node with jsdom, for `cargo xtask bench check`: one JSON line in, one line out.
//   node peer.mjs FOLDER_WITH_JSDOM FOLDER_WITH_MERMAID

import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';
import { pathToFileURL } from 'node:url';

const [jsdomFolder, mermaidFolder] = process.argv.slice(2);
const { JSDOM } = createRequire(path.join(jsdomFolder, 'x.js'))('jsdom');
const { window } = new JSDOM('<!doctype html><body></body>', { pretendToBeVisual: true });
globalThis.window = window;
globalThis.document = window.document;
globalThis.CSS = { supports: () => true, escape: (text) => text };

const main = path.join(mermaidFolder, 'node_modules/mermaid/dist/mermaid.core.mjs');
const { default: mermaid } = await import(pathToFileURL(main));
mermaid.initialize({ startOnLoad: false, maxTextSize: 1_000_000, maxEdges: 100_000, logLevel: 5 });

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { id, code } = JSON.parse(line);
  const valid = await mermaid.parse(code).then(() => true, () => false);
  process.stdout.write(`${JSON.stringify({ id, valid })}\n`);
}
