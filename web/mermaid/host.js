// The browser objects that Mermaid's parsers touch, for an engine that is not a browser. Run before everything else.
//
// Nothing here draws. `hostParseUrl` and `hostIsColor` are provided by the Rust side, which uses real WHATWG URL and
// CSS colour parsers, because Mermaid's verdict depends on them.

import './jison.js';

globalThis.window = globalThis;
globalThis.self = globalThis;

const silent = () => {};
globalThis.console = { log: silent, warn: silent, error: silent, info: silent, debug: silent, trace: silent };

// Parsing never waits; only click handlers of a drawn diagram would.
globalThis.setTimeout = () => 0;
globalThis.clearTimeout = silent;

const clone = (value) => {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(clone);
  if (value instanceof Date) return new Date(value);
  if (value instanceof Map) return new Map([...value].map(([k, v]) => [clone(k), clone(v)]));
  if (value instanceof Set) return new Set([...value].map(clone));
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, clone(v)]));
};
globalThis.structuredClone = clone;

globalThis.URL = class URL {
  #parts;
  constructor(text) {
    this.#parts = JSON.parse(hostParseUrl(String(text)));
    if (!this.#parts) throw new TypeError('Invalid URL');
  }
  static canParse(text) {
    return hostParseUrl(String(text)) !== 'null';
  }
  get href() { return this.#parts.href; }
  get protocol() { return this.#parts.protocol; }
  get hostname() { return this.#parts.hostname; }
  // Mermaid only ever sets these to their own lower-case form, which the parser has already made.
  set protocol(_) {}
  set hostname(_) {}
  toString() { return this.#parts.href; }
};

globalThis.CSS = {
  supports: (property, value) => property === 'color' && hostIsColor(String(value)),
  escape: (text) => text,
};

// The engine's own versions free an element twice when a deadline ends them between two elements, which ends the process.
// Code of the language itself is ended safely. They keep the standard's steps: holes are `undefined`, the length is read once.
const finder = (fromEnd, wantsIndex) => function (predicate, thisArg) {
  if (typeof predicate !== 'function') throw new TypeError('not a function');
  const list = Object(this);
  const length = Math.min(Math.max(Math.trunc(Number(list.length)) || 0, 0), Number.MAX_SAFE_INTEGER);
  for (let step = 0; step < length; step++) {
    const index = fromEnd ? length - 1 - step : step;
    const value = list[index];
    if (predicate.call(thisArg, value, index, list)) return wantsIndex ? index : value;
  }
  return wantsIndex ? -1 : undefined;
};
for (const prototype of [Array.prototype, Object.getPrototypeOf(Uint8Array.prototype)]) {
  const finders = { find: finder(false, false), findIndex: finder(false, true), findLast: finder(true, false), findLastIndex: finder(true, true) };
  for (const [name, value] of Object.entries(finders)) {
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable: false });
  }
}

// The first element of a growing list whose `key` is `value`, without looking through the list each time (see
// sources.mjs). Elements are only added at the end and keep their key; a list that was emptied begins with another element.
const listIndexes = new WeakMap();
globalThis.firstWith = (list, key, value) => {
  let index = listIndexes.get(list);
  if (!index || index.first !== list[0] || index.count > list.length) {
    index = { first: list[0], count: 0, elements: new Map() };
    listIndexes.set(list, index);
  }
  for (; index.count < list.length; index.count += 1) {
    const element = list[index.count];
    if (!index.elements.has(element[key])) index.elements.set(element[key], element);
  }
  return index.elements.get(value);
};
