// The inner loops of the parsers that Jison generates, for an engine that interprets.
//
// They do what the generated ones do, step by step, with less work for each token; `sources.mjs` puts them in the place
// of the generated ones after it has seen that those are what is known here.

const stickyRules = new WeakMap();
const stickyRule = (rule) => {
  if (!stickyRules.has(rule)) stickyRules.set(rule, new RegExp(rule.source, `${rule.flags}y`));
  return stickyRules.get(rule);
};
const isBlank = (code) => code === 32 || (code >= 9 && code <= 13);
const [BEYOND, END] = [128, 129];
/** The code at a place; all beyond ASCII are one. */
const codeAt = (text, at) => {
  const code = text.charCodeAt(at);
  return code < BEYOND ? code : code >= BEYOND ? BEYOND : END;
};
const holds = (codes, code) => {
  if (!codes || code === END) return true;
  return codes.includes(String.fromCharCode(code), 1) === (codes[0] === '+');
};

/** Whether the line has a word from here on. It is looked for once for all places before it. */
const lineHolds = (lexer, word) => {
  const text = lexer._input;
  const places = lexer.wordsAhead ??= new Map();
  let place = places.get(word);
  // Places are counted from the end of the text, because its beginning is cut off.
  if (!place || text.length > place.from || text.length < place.word) {
    const found = text.search(new RegExp(word, 'i'));
    place = { from: text.length, word: found < 0 ? -1 : text.length - found };
    places.set(word, place);
  }
  if (place.word < 0) return false;
  const end = text.indexOf('\n');
  return end < 0 || text.length - place.word < end;
};

/** The rules of a state that can match where the text goes on with `first`, and with `second` behind blanks. */
const candidates = (lexer, rules, first, second) => {
  const may = rules.filter((rule) => {
    const [starts, follows] = lexer.knowledge[rule];
    return holds(starts, first) && (!isBlank(first) || second >= BEYOND || holds(follows, second));
  });
  const words = [...new Set(may.map((rule) => lexer.knowledge[rule][2]).filter(Boolean))];
  return { may, words, byMissing: [] };
};

/** The rules of the lexer's state that can match what is left of the text, and sticky forms of them. */
const rulesToTry = (lexer) => {
  const { conditionStack, _input: text } = lexer;
  const { rules } = lexer.conditions[conditionStack[conditionStack.length - 1] || 'INITIAL'];
  const first = codeAt(text, 0);
  let at = 0;
  if (isBlank(first)) {
    do at += 1; while (isBlank(codeAt(text, at)));
  }
  const second = at && codeAt(text, at);
  const known = (rules.known ??= [])[first * 130 + second] ??= candidates(lexer, rules, first, second);
  let missing = 0;
  for (let i = 0; i < known.words.length; i += 1) if (!lineHolds(lexer, known.words[i])) missing |= 1 << i;
  let found = known.byMissing[missing];
  if (!found) {
    const numbers = known.may.filter((rule) => {
      const word = known.words.indexOf(lexer.knowledge[rule][2]);
      return word < 0 || !(missing & (1 << word));
    });
    found = { numbers, sticky: numbers.map((rule) => stickyRule(lexer.rules[rule])) };
    known.byMissing[missing] = found;
  }
  return found;
};

const LINES = /(?:\r\n?|\n).*/g;

/** The next token; something false where a rule gave none. */
const next = (lexer) => {
  if (lexer.done) return lexer.EOF;
  const text = lexer._input;
  if (!text) lexer.done = true;
  if (!lexer._more) lexer.yytext = lexer.match = '';
  const { numbers, sticky } = rulesToTry(lexer);
  for (let i = 0; i < sticky.length; i += 1) {
    const rule = sticky[i];
    rule.lastIndex = 0;
    const match = rule.exec(text);
    if (match) return take(lexer, match, numbers[i]);
  }
  if (lexer._input === '') return lexer.EOF;
  return lexer.parseError(`Lexical error on line ${lexer.yylineno + 1}. Unrecognized text.\n${lexer.showPosition()}`, {
    text: '',
    token: null,
    line: lexer.yylineno,
  });
};

const take = (lexer, match, rule) => {
  const found = match[0];
  const before = lexer.yylloc;
  let column = before.last_column + found.length;
  if (found.includes('\n') || found.includes('\r')) {
    const lines = found.match(LINES);
    const last = lines[lines.length - 1];
    lexer.yylineno += lines.length;
    column = last.length - last.match(/\r?\n?/)[0].length;
  }
  lexer.yylloc = {
    first_line: before.last_line,
    last_line: lexer.yylineno + 1,
    first_column: before.last_column,
    last_column: column,
  };
  lexer.yytext += found;
  lexer.match += found;
  lexer.matches = match;
  lexer.yyleng = lexer.yytext.length;
  lexer._more = lexer._backtrack = false;
  lexer._input = lexer._input.slice(found.length);
  lexer.matched += found;
  const token = lexer.performAction(lexer.yy, lexer, rule, lexer.conditionStack[lexer.conditionStack.length - 1]);
  if (lexer.done && lexer._input) lexer.done = false;
  return token || false;
};

globalThis.jisonLex = (lexer) => {
  let token;
  do token = next(lexer); while (!token);
  return token;
};

const [ERROR, EOF] = [2, 1];
const [SHIFT, REDUCE, ACCEPT] = [1, 2, 3];

/** A parser whose actions ask for no places. Taking arrays apart would cost the engine an iterator each time. */
globalThis.jisonParse = (parser, input) => {
  const { symbols_: symbols, terminals_: terminals } = parser;
  var table = parser.table, productions = parser.productions_;
  var defaultActions = parser.defaultActions, withAction = parser.withAction;
  var lexer = Object.create(parser.lexer);
  var yy = {};
  for (const key in parser.yy) if (Object.prototype.hasOwnProperty.call(parser.yy, key)) yy[key] = parser.yy[key];
  lexer.setInput(input, yy);
  yy.lexer = lexer;
  yy.parser = parser;
  if (typeof lexer.yylloc === 'undefined') lexer.yylloc = {};
  var place = lexer.yylloc;
  parser.parseError = typeof yy.parseError === 'function' ? yy.parseError : Object.getPrototypeOf(parser).parseError;
  // Declared once, and not in the loop: each `const` costs the engine a check at each use.
  var top = 0, action, symbol = null, state, value, size, production, what, target, result, row;
  var states = [0], values = [null];
  var text = '', length = 0, line = 0, waiting = [];
  var self = {};
  for (;;) {
    state = states[top];
    action = defaultActions[state];
    if (!action) {
      if (symbol === null || symbol === undefined) {
        symbol = waiting.pop() || lexer.lex() || EOF;
        if (typeof symbol !== 'number') {
          if (symbol instanceof Array) {
            waiting = symbol;
            symbol = waiting.pop();
          }
          symbol = symbols[symbol] || symbol;
        }
      }
      row = table[state];
      action = row && row[symbol];
    }
    if (action === undefined || !action.length || !action[0]) {
      const expected = [];
      for (const other in table[state]) if (terminals[other] && other > ERROR) expected.push(`'${terminals[other]}'`);
      const name = terminals[symbol] || symbol;
      parser.parseError(
        `Parse error on line ${line + 1}:\n${lexer.showPosition()}\nExpecting ${expected.join(', ')}, got '${name}'`,
        { text: lexer.match, token: name, line: lexer.yylineno, loc: place, expected },
      );
    }
    what = action[0];
    target = action[1];
    if (what === SHIFT) {
      values.push(lexer.yytext);
      states[top += 1] = target;
      symbol = null;
      text = lexer.yytext;
      length = lexer.yyleng;
      line = lexer.yylineno;
      place = lexer.yylloc;
    } else if (what === REDUCE) {
      production = productions[target];
      size = production[1];
      value = values[values.length - size];
      if (withAction[target]) {
        self.$ = value;
        result = parser.performAction.call(self, text, length, line, yy, target, values);
        if (result !== undefined) return result;
        value = self.$;
      }
      if (size === 1) {
        values[values.length - 1] = value;
      } else {
        values.length -= size;
        values.push(value);
      }
      top += 1 - size;
      states[top] = table[states[top - 1]][production[0]];
    } else if (what === ACCEPT) {
      return true;
    } else if (what instanceof Array && action.length > 1) {
      throw new Error(`Parse Error: multiple actions possible at state: ${state}, token: ${symbol}`);
    }
  }
};
