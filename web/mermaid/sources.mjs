// What is changed in Mermaid's own sources when they are bundled for the embedded engine, and why.
//
// Nothing here changes what a parser accepts. Each change names the text that it expects, so that a new Mermaid stops
// the build until someone has looked.

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { knowledgeOf } from './lexers.mjs';

/** Replaces `from` by `to`, and refuses when the text is not there as often as expected. */
export function replaceExactly(text, from, to, times = 1) {
  const count = text.split(from).length - 1;
  if (count !== times) throw new Error(`expected ${times}, found ${count} of: ${from}`);
  return text.replaceAll(from, () => to);
}

/** What Jison generates, in all parsers the same but for numbers that the bundler adds to names. */
const GENERATED = [
  { name: 'parse', indent: 4, digest: '3f20de25065b50a92ea252ae02c7516c7708f86d55be1ea759d45cbbb44217c1' },
  { name: 'test_match', indent: 6, digest: '03aa656486cdf713578d57a6795be255d8851df50dfefde92806213dae9fc37c' },
  { name: 'next', indent: 6, digest: 'ab25b35bce03c6007339682a870d9c2fdb92a7e87ecd0966080f246d13c744e3' },
  { name: 'lex', indent: 6, digest: '5354d649c9bdd532130e5d8163f0074b42283e78b4a70870c18a9acc1cfbd45a' },
  { name: '_currentRules', indent: 6, digest: '5fa9a8ca3aafa6ca071864f0b629e837ba20be88e6ab34cdf9e169a022a3b1ef' },
  { name: 'setInput', indent: 6, digest: '5550675a893d7b72d5f9fef6846f2568d7609163881662409b1e2eea1bd9ed99' },
];

/** The parsers that Jison has generated: a lexer, and a parser that calls it. `jison.js` holds their inner loops. */
function jisonParsers(text) {
  const count = text.split('this._input.match(').length - 1;
  if (count === 0) return text;
  if (count > 1) throw new Error('two parsers in one file are not known here');
  const parts = Object.fromEntries(GENERATED.map(({ name, indent, digest }) => {
    const [part] = new RegExp(`\\n {${indent}}${name}: [^]*?\\n {${indent}}\\}, "${name}"\\),?\\n`).exec(text) ?? [''];
    const plain = part.replace(/\b(lexer|parser|Parser|EOF|lex|parse|popStack)\d+\b/g, '$1');
    const found = createHash('sha256').update(plain).digest('hex');
    if (found !== digest) throw new Error(`Jison generates another \`${name}\` than is known here (${found})`);
    return [name, part];
  }));
  const options = /\n {6}options: \{(?: "case-insensitive": true )?\},\n/;
  if (!options.test(text)) throw new Error('a lexer has options that are not known here');
  const rules = /\n {6}rules: (\[\/\^.*\]),\n/.exec(text)?.[1];
  if (!rules) throw new Error('a lexer writes its rules in another way than is known here');
  const known = JSON.stringify(knowledgeOf(new Function(`return ${rules}`)()));
  text = replaceExactly(
    text,
    parts.lex,
    `\n      lex: function() { return globalThis.jisonLex(this); },\n      knowledge: ${known},\n`,
  );
  for (const name of ['test_match', 'next']) text = replaceExactly(text, parts[name], '\n');
  const [actions] = /\n {4}performAction: [^]*?\n {4}\}, "anonymous"\),\n/.exec(text);
  const usesPlaces = actions.split('_$').length > 2;
  if (!usesPlaces) {
    const withAction = [...actions.matchAll(/\n {8}case (\d+):/g)].map(([, number]) => `${number}: 1`);
    text = replaceExactly(text, parts.parse, `
    withAction: { ${withAction} },
    parse: function(input) {
      if (arguments.length > 1) throw new Error("a parser is given more than its text");
      return globalThis.jisonParse(this, input);
    }
`);
  }
  return ['yystate', '$avoiding_name_collisions'].reduce(splitSwitches, text);
}

/**
 * The engine compares with one `case` after the other. Here one comparison rules out half of them, the next one half of
 * the rest.
 */
function splitSwitches(text, value) {
  const head = new RegExp(`\n( *)switch \\(${value.replaceAll('$', '\\$')}\\) \\{\n([^]*?)\n\\1\\}\n`, 'g');
  return text.replace(head, (_, indent, body) => {
    const groups = [];
    for (const part of body.split(new RegExp(`^${indent}  (?=case )`, 'm')).slice(1)) {
      const label = /^case (\d+):\n?/.exec(part);
      const rest = part.slice(label?.[0].length ?? 0);
      const open = groups.at(-1)?.body === '' ? groups.pop() : { labels: [] };
      groups.push({ labels: [...open.labels, Number(label[1])], body: rest });
    }
    const written = groups.map(({ labels, body: does }) => (
      labels.map((label) => `${indent}  case ${label}:\n`).join('') + does
    )).join('');
    if (written.trim() !== body.trim() || /\n +default:/.test(body)) {
      throw new Error(`a switch that is not understood: ${body.slice(0, 200)}`);
    }
    if (groups.slice(0, -1).some(({ body: does }) => !/(?:\bbreak;|\breturn\b[^\n]*;)\s*$/.test(does))) {
      throw new Error(`a case that goes on into the next: ${body.slice(0, 200)}`);
    }
    const cases = groups
      .flatMap(({ labels, body: does }) => labels.map((label) => ({ label, does })))
      .sort((a, b) => a.label - b.label);
    return `\n${halves(cases, value)}\n`;
  });
}

function halves(cases, value) {
  if (cases.length > 6) {
    const middle = cases.length >> 1;
    const [below, above] = [cases.slice(0, middle), cases.slice(middle)].map((half) => halves(half, value));
    return `if (${value} < ${cases[middle].label}) {\n${below}\n} else {\n${above}\n}`;
  }
  // Neighbours that do the same are written once.
  const body = cases
    .map(({ label, does }, at) => `case ${label}:\n${cases[at + 1]?.does === does ? '' : does}`)
    .join('');
  return `switch (${value}) {\n${body}\n}`;
}

/**
 * Mermaid copies its whole configuration each time that a label is read. Here it is computed once for each set of
 * inputs and shared, frozen; whoever is handed it to write gets a copy.
 */
function sharedConfig(text) {
  if (holds(text, '// src/Diagram.ts')) {
    text = replaceExactly(
      text,
      'const config = getConfig();\n    const type = detectType',
      'const config = writableConfig(getConfig());\n    const type = detectType',
    );
    text = replaceExactly(
      text,
      'diagramType = detectType(processed.code.cleaned, getConfig());',
      'diagramType = detectType(processed.code.cleaned, writableConfig(getConfig()));',
    );
    text += `
var writableConfig = (config) => Object.fromEntries(Object.entries(config).map(([key, value]) => {
  const section = value && typeof value === "object" && !Array.isArray(value) && key !== "themeVariables";
  return [key, section ? { ...value } : value];
}));
`;
  }
  if (holds(text, '// src/config.ts')) {
    text = replaceExactly(text, 'var updateCurrentConfig = /* @__PURE__ */ __name((siteCfg, _directives) => {', `
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
    text = replaceExactly(
      text,
      'return assignWithDepth_default({}, currentConfig);',
      'return globalThis.copyConfig ? assignWithDepth_default({}, currentConfig) : currentConfig;',
    );
    // Sections that no directive names are shared instead of copied.
    text = replaceExactly(text, 'let cfg = assignWithDepth_default({}, siteCfg);', `
  const own = new Set([diagramConfigKey, ..._directives.flatMap((d) => Object.keys(d ?? {}))]);
  let cfg = {};
  for (const key of Object.keys(siteCfg)) {
    if (own.has(key) || typeof siteCfg[key] !== "object") assignWithDepth_default(cfg, { [key]: siteCfg[key] });
    else if (siteCfg[key] !== null) cfg[key] = siteCfg[key];
  }`);
    // A changed site configuration must be another object, or the shared results would go stale.
    text = replaceExactly(
      text,
      'siteConfig = assignWithDepth_default(siteConfig, conf);',
      'siteConfig = assignWithDepth_default({ ...siteConfig }, conf);',
      2,
    );
  }
  if (holds(text, '// src/diagrams/user-journey/journeyRenderer.ts')) {
    text = replaceExactly(text, 'var conf = getConfig().journey;', 'var conf = { ...getConfig().journey };');
  }
  return text;
}

/** Themes compute hundreds of colours. What they are without a diagram's own colours is computed once. */
function themes(text) {
  if (holds(text, '// src/themes/theme-base.js')) {
    const body = /const theme = new (Theme\d*)\(\);\n  theme\.calculate\(userOverrides\);\n  return theme;/g;
    const count = text.match(body)?.length;
    if (count !== 11) throw new Error(`expected 11 themes, found ${count}`);
    text = `${text.replace(body, 'return rememberedTheme($1, userOverrides);')}
// No initial value: themes are asked for while this file is still being run.
var rememberedThemes;
function rememberedTheme(Theme, userOverrides) {
  const make = () => {
    const theme = new Theme();
    theme.calculate(userOverrides);
    return theme;
  };
  const given = userOverrides && typeof userOverrides === "object" ? Object.keys(userOverrides).length : userOverrides;
  if (given !== undefined && given !== 0) return make();
  rememberedThemes ??= new Map();
  if (!rememberedThemes.has(Theme)) rememberedThemes.set(Theme, make());
  const theme = rememberedThemes.get(Theme);
  const copy = Object.create(Object.getPrototypeOf(theme));
  for (const key of Object.keys(theme)) copy[key] = structuredClone(theme[key]);
  return copy;
}
`;
  }
  if (holds(text, '// src/mermaidAPI.ts')) {
    // The settings of one diagram end with it, and are not computed once more.
    text = replaceExactly(
      text,
      '    throw error;\n  } finally {\n    setDiagramConfigScope(void 0);\n  }\n}\n__name(parse, "parse");',
      '    throw error;\n  } finally {\n    reset();\n  }\n}\n__name(parse, "parse");',
    );
  }
  return text;
}

/** What the verdict tells besides whether the text is valid. */
function reports(text) {
  if (holds(text, '// src/Diagram.ts')) {
    // Errors count lines in this text, not in what was handed in.
    text = replaceExactly(
      text,
      'const textToParse = encodeEntities(source) + "\\n";',
      'globalThis.parsedSource = source;\n    globalThis.charactersRead = code.cleaned.length;\n'
        + '    const textToParse = encodeEntities(source) + "\\n";',
    );
  }
  if (holds(text, '// src/diagrams/flowchart/flowDb.ts')) {
    text = replaceExactly(
      text,
      'this.edges.push(edge);',
      'this.edges.push(edge);\n      globalThis.edgesRead = this.edges.length;',
    );
  }
  return text;
}

/** Several kinds look through all that was read before for each thing that they read; here an index answers. */
function indexes(text) {
  if (holds(text, '// src/diagrams/flowchart/flowDb.ts')) {
    text = replaceExactly(
      text,
      'const edge = this.edges.find((e) => e.id === id);',
      'const edge = globalThis.firstWith(this.edges, "id", id);',
      2,
    );
    text = replaceExactly(
      text,
      'if (id && !this.edges.some((e) => e.id === id)) {',
      'if (id && !globalThis.firstWith(this.edges, "id", id)) {',
    );
    // How many edges have the same ends.
    text = replaceExactly(
      text,
      'const existingLinks = this.edges.filter((e) => e.start === edge.start && e.end === edge.end);',
      'const ends = JSON.stringify([edge.start, edge.end]);\n'
        + '      const existingLinks = { length: countsOfEnds(this.edges).get(ends) ?? 0 };',
    );
    text = replaceExactly(
      text,
      'const existing = this.subGraphs.find((sg) => sg.id === id);',
      'const existing = this.subGraphLookup.get(id);',
    );
    text = replaceExactly(
      text,
      'this.subGraphLookup.set(id, existing ?? subGraph);',
      'this.subGraphLookup.set(id, existing ?? subGraph);\n'
        + '    subGraph.nodes.forEach((node) => membersOf(this.subGraphs).add(node));',
    );
    text = replaceExactly(
      text,
      '    for (const sg of allSgs) {\n      if (sg.nodes.includes(_id)) {\n        return true;\n      }\n'
        + '    }\n    return false;\n',
      '    return membersOf(allSgs).has(_id);\n',
    );
    text += `
var members = new WeakMap();
var membersOf = (subGraphs) => {
  if (!members.has(subGraphs)) members.set(subGraphs, new Set());
  return members.get(subGraphs);
};
var endsCounted = new WeakMap();
var countsOfEnds = (edges) => {
  let counted = endsCounted.get(edges);
  if (!counted) endsCounted.set(edges, counted = { counts: new Map(), edges: 0 });
  for (; counted.edges < edges.length; counted.edges++) {
    const ends = JSON.stringify([edges[counted.edges].start, edges[counted.edges].end]);
    counted.counts.set(ends, (counted.counts.get(ends) ?? 0) + 1);
  }
  return counted.counts;
};
`;
  }
  if (holds(text, '// src/diagrams/state/dataFetcher.ts')) {
    text = replaceExactly(
      text,
      'const existingNodeData = nodes.find((node) => node.id === nodeData.id);',
      'const existingNodeData = globalThis.firstWith(nodes, "id", nodeData.id);',
    );
  }
  if (holds(text, '// src/diagrams/timeline/timelineDb.js')) {
    text = replaceExactly(
      text,
      'const currentTask = rawTasks.find((task) => task.id === currentTaskId - 1);',
      'const currentTask = globalThis.firstWith(rawTasks, "id", currentTaskId - 1);',
    );
  }
  if (holds(text, '// src/diagrams/er/parser/erDiagram.jison')) {
    // The list of what was read belongs to the parser alone, so that it can grow instead of being copied.
    text = replaceExactly(
      text,
      'this.$ = $$[$0 - 1].concat($$[$0]);',
      'this.$ = $$[$0 - 1];\n          this.$.push(...[].concat($$[$0]));',
    );
  }
  if (holds(text, '// src/diagrams/mindmap/mindmapDb.ts')) {
    // Of the nodes before, only those count behind which none is as shallow.
    text = replaceExactly(
      text,
      '    for (let i = this.nodes.length - 1; i >= 0; i--) {\n      if (this.nodes[i].level < level) {\n'
        + '        return this.nodes[i];\n      }\n    }\n    return null;\n',
      '    const open = openNodes(this.nodes);\n    for (let i = open.length - 1; i >= 0; i--) {\n'
        + '      if (open[i].level < level) {\n        return open[i];\n      }\n    }\n    return null;\n',
    );
    text += `
var nodesRead = new WeakMap();
var openNodes = (nodes) => {
  let read = nodesRead.get(nodes);
  if (!read) nodesRead.set(nodes, read = { open: [], count: 0 });
  for (; read.count < nodes.length; read.count++) {
    const node = nodes[read.count];
    while (read.open.length && read.open.at(-1).level >= node.level) read.open.pop();
    read.open.push(node);
  }
  return read.open;
};
`;
  }
  return text;
}

/** Without a DOM the purifier returns its input, so at these levels nothing is left to do. */
function labels(text) {
  if (!holds(text, '// src/diagrams/common/common.ts')) return text;
  return replaceExactly(
    text,
    'if (config2.dompurifyConfig) {\n    text = DOMPurify.sanitize(sanitizeMore',
    'if (["strict", "antiscript", "sandbox", "loose"].includes(config2.securityLevel)) return text.toString();\n'
      + '  if (config2.dompurifyConfig) {\n    text = DOMPurify.sanitize(sanitizeMore',
  );
}

/** The parts of Mermaid that are looked for, and those that were met: a part that moved must not be missed. */
const [expected, met] = [new Set(['chevrotain']), new Set()];
function holds(text, part) {
  const found = text.includes(part);
  expected.add(part);
  if (found) met.add(part);
  return found;
}

/**
 * Whether a text is of a kind is asked of all kinds. The engine tries a rule that begins with `^` at every place of the
 * text; a sticky one is tried at its beginning.
 */
const DETECTORS = 36;
let stickyDetectors = 0;
function detectors(text) {
  return text.replace(/(\/\^\\s\*(?:[^/|()]|\([^/()]*\))*\/)(i?)\.test\((txt|text)\)/g, (_, rule, flags, name) => {
    stickyDetectors += 1;
    return `${rule}${flags}y.test(${name})`;
  });
}

/** Chevrotain fills a table of 65,536 numbers when it is first used; the few that are asked for are computed instead. */
function codeIndexes(text) {
  text = replaceExactly(text, ': charCodeToOptimizedIdxMap[charCode];', ': 255 + ~~(charCode / 255);');
  const table = /\nfunction initCharCodeToOptimizedIndexMap\(\) \{\n[^]*?\n\}\n/;
  if (!table.exec(text)?.[0].includes('charCodeToOptimizedIdxMap[i] = i > 255 ? 255 + ~~(i / 255) : i;')) {
    throw new Error('Chevrotain computes its table in another way than is known here');
  }
  replaceExactly(text, 'const minOptimizationVal = 256;', '');
  return text.replace(table, '\nfunction initCharCodeToOptimizedIndexMap() {}\n');
}

const CHANGES = [jisonParsers, sharedConfig, themes, reports, indexes, labels, detectors];

export const mermaidSources = {
  name: 'mermaid-sources',
  setup(b) {
    b.onLoad({ filter: /mermaid[\\/]dist[\\/].*\.mjs$/ }, ({ path: file }) => {
      const source = fs.readFileSync(file, 'utf8');
      const text = CHANGES.reduce((changed, change) => change(changed), source);
      return text === source ? undefined : { contents: text, loader: 'js' };
    });
    b.onLoad({ filter: /chevrotain[\\/]lib[\\/]src[\\/]scan[\\/]lexer\.js$/ }, ({ path: file }) => {
      met.add('chevrotain');
      return { contents: codeIndexes(fs.readFileSync(file, 'utf8')), loader: 'js' };
    });
    b.onEnd(() => {
      if (stickyDetectors !== DETECTORS) throw new Error(`expected ${DETECTORS} detectors, found ${stickyDetectors}`);
      const missing = [...expected].filter((part) => !met.has(part));
      if (missing.length) throw new Error(`these parts of Mermaid were not met: ${missing}`);
    });
  },
};
