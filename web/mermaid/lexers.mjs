// What can be known of a lexer's rule before it is tried, read from its regular expression: what it can begin with.
//
// Mermaid's lexers try every rule of a state at every token; most of them cannot match what stands there. The answer
// here may be too wide, never too narrow: what is not understood can begin with anything.

const ASCII = Array.from({ length: 128 }, (_, code) => code);
/** Stands for every character that is not ASCII. */
const BEYOND = 128;
const ALL = new Set([...ASCII, BEYOND]);
const word = (code) => /\w/.test(String.fromCharCode(code));
const space = (code) => /\s/.test(String.fromCharCode(code));
const digit = (code) => code >= 48 && code <= 57;
const having = (is) => new Set(ASCII.filter(is));
// `\s` also has blanks beyond ASCII.
const CLASSES = {
  d: having(digit), D: new Set([...having((c) => !digit(c)), BEYOND]),
  w: having(word), W: new Set([...having((c) => !word(c)), BEYOND]),
  s: new Set([...having(space), BEYOND]), S: new Set([...having((c) => !space(c)), BEYOND]),
};
const CONTROLS = { n: 10, r: 13, t: 9, f: 12, v: 11, 0: 0 };

class Unknown extends Error {}

/** The characters that a match can begin with, and whether it can be empty. */
class Reader {
  constructor(source) {
    this.source = source;
    this.at = 0;
  }

  get next() { return this.source[this.at]; }
  eat(text) {
    if (!this.source.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  alternatives() {
    const first = new Set();
    let empty = false;
    do {
      const one = this.sequence();
      one.first.forEach((code) => first.add(code));
      empty ||= one.empty;
    } while (this.eat('|'));
    return { first, empty };
  }

  sequence() {
    const first = new Set();
    let empty = true;
    while (this.at < this.source.length && this.next !== '|' && this.next !== ')') {
      const one = this.quantified(this.atom());
      if (empty) one.first.forEach((code) => first.add(code));
      empty &&= one.empty;
    }
    return { first, empty };
  }

  quantified(one) {
    let { empty } = one;
    if (this.eat('*') || this.eat('?')) empty = true;
    else if (!this.eat('+')) {
      const count = /^\{(\d+)(,\d*)?\}/.exec(this.source.slice(this.at));
      if (!count) return one;
      this.at += count[0].length;
      empty ||= Number(count[1]) === 0;
    }
    this.eat('?');
    return { first: one.first, empty };
  }

  atom() {
    const none = { first: new Set(), empty: true };
    if (this.eat('^') || this.eat('$')) return none;
    if (this.eat('.')) return { first: new Set([...ALL].filter((code) => code !== 10 && code !== 13)), empty: false };
    if (this.eat('[')) return { first: this.set(), empty: false };
    if (this.eat('(')) {
      // What looks ahead or behind takes nothing, so the match begins with what follows it.
      const looks = ['?=', '?!', '?<=', '?<!'].some((mark) => this.eat(mark));
      if (!looks && !this.eat('?:') && this.next === '?') throw new Unknown();
      const inner = this.alternatives();
      if (!this.eat(')')) throw new Unknown();
      return looks ? none : inner;
    }
    if (this.eat('\\')) {
      if (this.eat('b') || this.eat('B')) return none;
      return { first: this.escaped(), empty: false };
    }
    if (this.next === ')' || this.next === undefined) throw new Unknown();
    return { first: new Set([this.character()]), empty: false };
  }

  /** A character as itself. */
  character() {
    const code = this.source.charCodeAt(this.at);
    this.at += 1;
    return Math.min(code, BEYOND);
  }

  /** What stands behind a backslash. */
  escaped() {
    const name = this.next;
    if (name in CLASSES) {
      this.at += 1;
      return CLASSES[name];
    }
    const hexadecimal = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/.exec(this.source.slice(this.at));
    if (hexadecimal) {
      this.at += hexadecimal[0].length;
      return new Set([Math.min(parseInt(hexadecimal[1] ?? hexadecimal[2], 16), BEYOND)]);
    }
    if (name in CONTROLS) {
      this.at += 1;
      if (/\d/.test(this.next ?? '')) throw new Unknown();
      return new Set([CONTROLS[name]]);
    }
    // References to groups, properties of characters and whatever else a letter or a digit may mean.
    if (name === undefined || /\w/.test(name)) throw new Unknown();
    return new Set([this.character()]);
  }

  /** What stands between square brackets. */
  set() {
    const negated = this.eat('^');
    const members = new Set();
    while (!this.eat(']')) {
      if (this.next === undefined) throw new Unknown();
      const from = this.member();
      if (this.next === '-' && this.source[this.at + 1] !== ']') {
        this.at += 1;
        const to = this.member();
        // A class at one end makes the hyphen a character.
        if (from.size !== 1 || to.size !== 1) [...from, ...to, 45].forEach((code) => members.add(code));
        else for (let code = [...from][0]; code <= [...to][0]; code += 1) members.add(code);
      } else {
        from.forEach((code) => members.add(code));
      }
    }
    // What is beyond ASCII is not followed one by one: a negated set may have some of it whatever it names.
    return negated ? new Set([...ALL].filter((code) => code === BEYOND || !members.has(code))) : members;
  }

  member() {
    if (!this.eat('\\')) return new Set([this.character()]);
    return this.eat('b') ? new Set([8]) : this.escaped();
  }
}

function withBothCases(codes) {
  const both = new Set(codes);
  for (const code of codes) {
    const letter = String.fromCharCode(code);
    if (code < BEYOND) [letter.toLowerCase(), letter.toUpperCase()].forEach((one) => both.add(one.charCodeAt(0)));
  }
  return both;
}

/** The codes that a match can begin with, 128 for all beyond ASCII; `null` if it may be empty or is not understood. */
export function firstCodes(rule) {
  if (/[uvm]/.test(rule.flags)) return null;
  try {
    const reader = new Reader(rule.source);
    const { first, empty } = reader.alternatives();
    if (empty || reader.at !== rule.source.length) return null;
    return rule.flags.includes('i') ? withBothCases(first) : first;
  } catch (error) {
    if (error instanceof Unknown) return null;
    throw error;
  }
}

const codeAt = (text, at) => Math.min(text.charCodeAt(at), BEYOND);

/** Tries to find a text that the rule matches although it should not. */
function refute(rule, canMatch) {
  const tails = ['', ' ', '\n', 'a', '--', '-->', '.->', '==>', 'direction TB', ': x', '"', ')', ']', '}', '1'];
  for (let code = 0; code < 256; code += 1) {
    for (const blanks of ['', ' ', '\t \n']) {
      for (const tail of tails) {
        const text = blanks + String.fromCharCode(code) + tail;
        if (!canMatch(text) && rule.exec(text)) throw new Error(`${rule} matches ${JSON.stringify(text)} unexpectedly`);
      }
    }
  }
}

/** The codes behind the blanks of a rule that begins with any number of them; `null` where it is not that simple. */
function codesAfterBlanks(rule) {
  const start = '^(?:\\s*';
  if (!rule.source.startsWith(start) || !firstCodes(rule)) return null;
  const reader = new Reader(rule.source);
  reader.at = start.length;
  const { first, empty } = reader.sequence();
  const whole = reader.eat(')') && reader.at === rule.source.length;
  if (!whole || empty || [...first].some((code) => code === BEYOND || space(code))) return null;
  return rule.flags.includes('i') ? withBothCases(first) : first;
}

/** A word that the line must hold from here on, for a rule that begins with anything and then this word. */
function wordAhead(rule) {
  return /^\^\(\?:\.\*([a-z]{4,}|<<[a-z]+>>)/.exec(rule.source)?.[1] ?? 0;
}

/** `0` for any character, `+` and the characters, or `-` and all others; 128 stands for all beyond ASCII. */
function asText(codes) {
  if (!codes) return 0;
  const text = (some) => some.map((code) => String.fromCharCode(code)).join('');
  return codes.size <= 64 ? `+${text([...codes])}` : `-${text([...ALL].filter((code) => !codes.has(code)))}`;
}

/** What is known of each rule of a lexer before it is tried. */
export function knowledgeOf(rules) {
  return rules.map((rule) => {
    if (!rule.source.startsWith('^')) throw new Error(`a rule that is not anchored: ${rule.source}`);
    const [first, behind] = [firstCodes(rule), codesAfterBlanks(rule)];
    if (first) refute(rule, (text) => first.has(codeAt(text, 0)));
    if (behind) refute(rule, (text) => !space(text.charCodeAt(0)) || behind.has(codeAt(text.trimStart(), 0)));
    return [asText(first), asText(behind), wordAhead(rule)];
  });
}
