// What is changed in Mermaid's own sources when they are bundled for the embedded engine, and why.
//
// Nothing here changes what a parser accepts. Each change names the text that it expects, so that a new Mermaid stops the
// build until someone has looked.

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
  text = replaceExactly(text, parts.lex, `\n      lex: function() { return globalThis.jisonLex(this); },\n      knowledge: ${known},\n`);
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
 * The engine compares with one `case` after the other. Half of them are ruled out by one comparison, half of the rest by the
 * next.
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
    const written = groups.map(({ labels, body: does }) => labels.map((label) => `${indent}  case ${label}:\n`).join('') + does).join('');
    if (written.trim() !== body.trim() || /\n +default:/.test(body)) throw new Error(`a switch that is not understood: ${body.slice(0, 200)}`);
    if (groups.slice(0, -1).some(({ body: does }) => !/(?:\bbreak;|\breturn\b[^\n]*;)\s*$/.test(does))) throw new Error(`a case that goes on into the next: ${body.slice(0, 200)}`);
    const cases = groups.flatMap(({ labels, body: does }) => labels.map((label) => ({ label, does }))).sort((a, b) => a.label - b.label);
    return `\n${halves(cases, value)}\n`;
  });
}

function halves(cases, value) {
  if (cases.length > 6) {
    const middle = cases.length >> 1;
    return `if (${value} < ${cases[middle].label}) {\n${halves(cases.slice(0, middle), value)}\n} else {\n${halves(cases.slice(middle), value)}\n}`;
  }
  // Neighbours that do the same are written once.
  const body = cases.map(({ label, does }, at) => `case ${label}:\n${cases[at + 1]?.does === does ? '' : does}`).join('');
  return `switch (${value}) {\n${body}\n}`;
}

/**
 * Mermaid copies its whole configuration each time that a label is read. Here it is computed once for each set of inputs and
 * shared, frozen; whoever is handed it to write gets a copy.
 */
function sharedConfig(text) {
  if (text.includes('// src/Diagram.ts')) {
    text = replaceExactly(text, 'const config = getConfig();\n    const type = detectType', 'const config = writableConfig(getConfig());\n    const type = detectType');
    text = replaceExactly(text, 'diagramType = detectType(processed.code.cleaned, getConfig());', 'diagramType = detectType(processed.code.cleaned, writableConfig(getConfig()));');
    text += `
var writableConfig = (config) => Object.fromEntries(Object.entries(config).map(([key, value]) =>
  [key, value && typeof value === "object" && !Array.isArray(value) && key !== "themeVariables" ? { ...value } : value]));
`;
  }
  if (text.includes('// src/config.ts')) {
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
    text = replaceExactly(text, 'return assignWithDepth_default({}, currentConfig);', 'return globalThis.copyConfig ? assignWithDepth_default({}, currentConfig) : currentConfig;');
    // Sections that no directive names are shared instead of copied.
    text = replaceExactly(text, 'let cfg = assignWithDepth_default({}, siteCfg);', `
  const own = new Set([diagramConfigKey, ..._directives.flatMap((d) => Object.keys(d ?? {}))]);
  let cfg = {};
  for (const key of Object.keys(siteCfg)) {
    if (own.has(key) || typeof siteCfg[key] !== "object") assignWithDepth_default(cfg, { [key]: siteCfg[key] });
    else if (siteCfg[key] !== null) cfg[key] = siteCfg[key];
  }`);
    // A changed site configuration must be another object, or the shared results would go stale.
    text = replaceExactly(text, 'siteConfig = assignWithDepth_default(siteConfig, conf);', 'siteConfig = assignWithDepth_default({ ...siteConfig }, conf);', 2);
  }
  if (text.includes('// src/diagrams/user-journey/journeyRenderer.ts')) {
    text = replaceExactly(text, 'var conf = getConfig().journey;', 'var conf = { ...getConfig().journey };');
  }
  return text;
}

/** Themes compute hundreds of colours. What they are without a diagram's own colours is computed once. */
function themes(text) {
  if (text.includes('// src/themes/theme-base.js')) {
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
  const none = userOverrides === undefined || (userOverrides && typeof userOverrides === "object" && Object.keys(userOverrides).length === 0);
  if (!none) return make();
  rememberedThemes ??= new Map();
  if (!rememberedThemes.has(Theme)) rememberedThemes.set(Theme, make());
  const theme = rememberedThemes.get(Theme);
  const copy = Object.create(Object.getPrototypeOf(theme));
  for (const key of Object.keys(theme)) copy[key] = structuredClone(theme[key]);
  return copy;
}
`;
  }
  if (text.includes('// src/mermaidAPI.ts')) {
    // The settings of one diagram end with it, and are not computed once more.
    text = replaceExactly(text, '    throw error;\n  } finally {\n    setDiagramConfigScope(void 0);\n  }\n}\n__name(parse, "parse");', '    throw error;\n  } finally {\n    reset();\n  }\n}\n__name(parse, "parse");');
  }
  return text;
}

/** What the verdict tells besides whether the text is valid. */
function reports(text) {
  if (text.includes('// src/Diagram.ts')) {
    // Errors count lines in this text, not in what was handed in.
    text = replaceExactly(text, 'const textToParse = encodeEntities(source) + "\\n";', 'globalThis.parsedSource = source;\n    const textToParse = encodeEntities(source) + "\\n";');
  }
  return text;
}

/** Flowcharts look through all edges for each node and for each edge; here an index answers. */
function edgeIndex(text) {
  if (!text.includes('// src/diagrams/flowchart/flowDb.ts')) return text;
  text = replaceExactly(text, 'const edge = this.edges.find((e) => e.id === id);', 'const edge = indexOfEdges(this.edges).byId.get(id);', 2);
  text = replaceExactly(text, 'if (id && !this.edges.some((e) => e.id === id)) {', 'if (id && !indexOfEdges(this.edges).byId.has(id)) {');
  text = replaceExactly(
    text,
    'const existingLinks = this.edges.filter((e) => e.start === edge.start && e.end === edge.end);',
    'const existingLinks = { length: indexOfEdges(this.edges).between.get(JSON.stringify([edge.start, edge.end])) ?? 0 };',
  );
  return `${text}
var edgeIndexes = new WeakMap();
var indexOfEdges = (edges) => {
  let index = edgeIndexes.get(edges);
  if (!index) edgeIndexes.set(edges, index = { byId: new Map(), between: new Map(), count: 0 });
  for (; index.count < edges.length; index.count++) {
    const edge = edges[index.count];
    if (!index.byId.has(edge.id)) index.byId.set(edge.id, edge);
    const ends = JSON.stringify([edge.start, edge.end]);
    index.between.set(ends, (index.between.get(ends) ?? 0) + 1);
  }
  return index;
};
`;
}

/** Without a DOM the purifier returns its input, so at these levels nothing is left to do. */
function labels(text) {
  if (!text.includes('// src/diagrams/common/common.ts')) return text;
  return replaceExactly(
    text,
    'if (config2.dompurifyConfig) {\n    text = DOMPurify.sanitize(sanitizeMore',
    'if (["strict", "antiscript", "sandbox", "loose"].includes(config2.securityLevel)) return text.toString();\n  if (config2.dompurifyConfig) {\n    text = DOMPurify.sanitize(sanitizeMore',
  );
}

const CHANGES = [jisonParsers, sharedConfig, themes, reports, edgeIndex, labels];

export const mermaidSources = {
  name: 'mermaid-sources',
  setup(b) {
    b.onLoad({ filter: /mermaid[\\/]dist[\\/].*\.mjs$/ }, ({ path: file }) => {
      const source = fs.readFileSync(file, 'utf8');
      const text = CHANGES.reduce((changed, change) => change(changed), source);
      return text === source ? undefined : { contents: text, loader: 'js' };
    });
  },
};
