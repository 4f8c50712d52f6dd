// Mermaid's own parser behind one function: `check(text)` resolves to a JSON string.
//
// The limits that Mermaid would apply (text size, edges) are lifted here: the Rust side has its own, and warns of
// Mermaid's.

import mermaid from 'mermaid';

mermaid.initialize({ startOnLoad: false, maxTextSize: 1_000_000, maxEdges: 100_000, logLevel: 5 });

const describe = (error) => ({
  valid: false,
  name: error?.name,
  message: String((error && error.message) || error),
  location: error?.hash?.loc,
  line: error?.hash?.line,
  unexpected: error?.hash?.text,
  token: error?.hash?.token,
  expected: error?.hash?.expected,
  parsed: globalThis.parsedSource,
});

const attempt = async (text) => {
  globalThis.parsedSource = undefined;
  globalThis.edgesRead = 0;
  globalThis.charactersRead = 0;
  try {
    const { diagramType } = await mermaid.parse(text);
    return { valid: true, kind: diagramType, edges: globalThis.edgesRead, characters: globalThis.charactersRead };
  } catch (error) {
    return { ...describe(error), frozen: error instanceof TypeError };
  }
};

globalThis.check = async (text) => {
  globalThis.copyConfig = false;
  let verdict = await attempt(text);
  // The shared configuration is frozen (see bundle.mjs). Should a parser write to it, its verdict is taken again on a
  // private copy, as in a browser.
  if (verdict.frozen) {
    globalThis.copyConfig = true;
    verdict = await attempt(text);
  }
  return JSON.stringify(verdict);
};
