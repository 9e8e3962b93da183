/**
 * Patterns over names that cost no more than (pattern × name) steps, whoever wrote them: a set of places in the pattern
 * moves through the name letter by letter (Thompson, "Regular Expression Search Algorithm", 1968), and never goes back.
 * JavaScript's own expressions try one way after the other, which for `(a+)+b` are 2ⁿ.
 */
export type Matcher = (name: string) => boolean;

/** A pattern that can't be read; the message says why, and what is read. */
export class PatternSyntaxError extends Error {}

/** A longer one is no pattern of a person. */
const LONGEST = 500;

/** A glob over whole names: `*` is any text, `?` one character. */
export function globMatcher(glob: string): Matcher {
  refuseLong(glob);
  const program: Step[] = [{ op: 'start' }];
  for (const letter of glob) {
    if (letter === '*') program.push(...many(single(any), '*'));
    else program.push(...single(letter === '?' ? any : (other) => other === letter));
  }
  return matcher([...program, { op: 'end' }]);
}

/**
 * A regular expression, found anywhere in a name: letters, `.`, `[a-z]`, `[^…]`, `\d \w \s` and their opposites, `( )`,
 * `|`, `* + ?`, `^` and `$`.
 * @throws PatternSyntaxError for anything else
 */
export function expressionMatcher(source: string): Matcher {
  refuseLong(source);
  return matcher(new Reader(source).whole());
}

/** What a place of a program does; jumps are relative. */
type Step =
  | { readonly op: 'letter'; readonly takes: (letter: string) => boolean }
  | { readonly op: 'fork'; readonly to: readonly number[] }
  | { readonly op: 'start' }
  | { readonly op: 'end' };

type Takes = (letter: string) => boolean;

const any: Takes = () => true;

function single(takes: Takes): Step[] {
  return [{ op: 'letter', takes }];
}

function many(body: readonly Step[], sign: string): Step[] {
  const [skip, back] = [body.length + 2, -body.length];
  if (sign === '?') return [{ op: 'fork', to: [1, body.length + 1] }, ...body];
  if (sign === '+') return [...body, { op: 'fork', to: [back, 1] }];
  return [{ op: 'fork', to: [1, skip] }, ...body, { op: 'fork', to: [back, 1] }];
}

function matcher(program: readonly Step[]): Matcher {
  return (name) => {
    const letters = [...name];
    let places = new Set<number>();
    for (let at = 0; at <= letters.length; at++) {
      enter(0, at);
      if (places.has(program.length)) return true;
      const [letter, next] = [letters[at], places];
      if (letter === undefined) break;
      places = new Set();
      for (const place of next) {
        const step = program[place];
        if (step?.op === 'letter' && step.takes(letter)) enter(place + 1, at + 1);
      }
    }
    return places.has(program.length);

    /** Adds a place and all that it leads to without a letter. */
    function enter(first: number, at: number): void {
      const left = [first];
      for (let place = left.pop(); place !== undefined; place = left.pop()) {
        if (places.has(place)) continue;
        places.add(place);
        const step = program[place];
        if (step?.op === 'fork') for (const jump of step.to) left.push(place + jump);
        if ((step?.op === 'start' && at === 0) || (step?.op === 'end' && at === letters.length))
          left.push(place + 1);
      }
    }
  };
}

/** Sets of letters that a backslash names. */
const SETS: ReadonlyMap<string, Takes> = new Map([
  ['d', (letter) => /\d/.test(letter)],
  ['D', (letter) => /\D/.test(letter)],
  ['w', (letter) => /\w/.test(letter)],
  ['W', (letter) => /\W/.test(letter)],
  ['s', (letter) => /\s/.test(letter)],
  ['S', (letter) => /\S/.test(letter)],
]);

/** From the text of an expression to a program, by recursive descent. */
class Reader {
  readonly #letters: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#letters = [...source];
  }

  whole(): Step[] {
    const program = this.#choices();
    if (this.#at < this.#letters.length) throw new PatternSyntaxError('a ")" without its "("');
    return program;
  }

  #choices(): Step[] {
    if (++this.#depth > 50) throw new PatternSyntaxError('more than 50 groups are nested');
    let program = this.#sequence();
    while (this.#take('|')) {
      const other = this.#sequence();
      program = [
        { op: 'fork', to: [1, program.length + 2] },
        ...program,
        { op: 'fork', to: [other.length + 1] },
        ...other,
      ];
    }
    this.#depth--;
    return program;
  }

  #sequence(): Step[] {
    const program: Step[] = [];
    for (let next = this.#letters[this.#at]; next !== undefined; next = this.#letters[this.#at]) {
      if (next === '|' || next === ')') break;
      program.push(...this.#repeated());
    }
    return program;
  }

  #repeated(): Step[] {
    const body = this.#atom();
    const sign = this.#letters[this.#at] ?? '';
    if (!'*+?{'.includes(sign) || sign === '') return body;
    this.#at++;
    if (sign === '{')
      throw new PatternSyntaxError('counts in braces are not read here; repeat the letters, or use * + ?');
    if ('*+?'.includes(this.#letters[this.#at] ?? ' '))
      throw new PatternSyntaxError('two signs of repetition in a row');
    return many(body, sign);
  }

  #atom(): Step[] {
    const letter = this.#letters[this.#at++] ?? '';
    if (letter === '(') return this.#group();
    if (letter === '[') return single(this.#set());
    if (letter === '^') return [{ op: 'start' }];
    if (letter === '$') return [{ op: 'end' }];
    if (letter === '.') return single(any);
    if (letter === '\\') return single(this.#escaped());
    if ('*+?{}]'.includes(letter)) throw new PatternSyntaxError(`nothing stands before "${letter}"`);
    return single((other) => other === letter);
  }

  #group(): Step[] {
    if (this.#take('?') && !this.#take(':')) {
      throw new PatternSyntaxError('(?…) is not read here, except for (?:…)');
    }
    const program = this.#choices();
    if (!this.#take(')')) throw new PatternSyntaxError('a "(" without its ")"');
    return program;
  }

  #escaped(): Takes {
    const letter = this.#letters[this.#at++];
    if (letter === undefined) throw new PatternSyntaxError('it ends with a backslash');
    const set = SETS.get(letter);
    if (set !== undefined) return set;
    if (/[\p{L}\p{N}]/u.test(letter)) throw new PatternSyntaxError(`\\${letter} is not read here`);
    return (other) => other === letter;
  }

  #set(): Takes {
    const inverted = this.#take('^');
    const parts: Takes[] = [];
    while (!this.#take(']')) {
      const from = this.#letters[this.#at++];
      if (from === undefined) throw new PatternSyntaxError('a "[" without its "]"');
      if (from === '\\') {
        parts.push(this.#escaped());
        continue;
      }
      const to = this.#letters[this.#at + 1];
      if (this.#letters[this.#at] !== '-' || to === undefined || to === ']') {
        parts.push((letter) => letter === from);
        continue;
      }
      this.#at += 2;
      if (to < from || to === '\\') throw new PatternSyntaxError(`${from}-${to} is no range of letters`);
      parts.push((letter) => letter >= from && letter <= to);
    }
    return (letter) => parts.some((takes) => takes(letter)) !== inverted;
  }

  #take(letter: string): boolean {
    if (this.#letters[this.#at] !== letter) return false;
    this.#at++;
    return true;
  }
}

function refuseLong(pattern: string): void {
  if (pattern.length > LONGEST) throw new PatternSyntaxError(`it is longer than ${LONGEST} characters`);
}
