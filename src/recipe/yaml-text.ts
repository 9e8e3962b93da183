import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type YAMLMap,
} from 'yaml';
import { RegularFileError, readRegularText } from '../storage/regular-file.js';
import { count } from '../text/numbers.js';
import { shorten } from '../text/shorten.js';
import { RecipeError } from './recipe-error.js';

/**
 * The one place that reads YAML: recipes, files of comparisons, values of `--set`. A text is measured while it is cut
 * into words, before anything is built from it, so that none can overflow the stack or take minutes; keys and aliases
 * (`*name`) are checked here, too, where the line is known and the work is linear.
 */
export interface YamlText {
  /** Plain data; null for an empty text. */
  readonly value: unknown;
  /** 1-based line of the setting at `path`, or of the nearest section around it that the text has. */
  lineOf(path: readonly (string | number)[]): number | undefined;
}

/** A recipe has a few kilobytes, a few hundred settings and five levels. */
const MOST = { bytes: 4 * 2 ** 20, words: 4_000_000, values: 1_000_000, aliases: 1000, depth: 64 } as const;

/** The text of a file. @param absent what to say where there is none @throws RecipeError */
export async function readYamlText(path: string, absent: string): Promise<string> {
  try {
    return await readRegularText(path, { maxBytes: MOST.bytes });
  } catch (error) {
    if (!(error instanceof RegularFileError)) throw error;
    if (error.code === 'TOO_LARGE') {
      throw new RecipeError(`${path}: is larger than ${MOST.bytes / 2 ** 20} MiB: is it another file?`, {
        cause: error,
      });
    }
    throw new RecipeError(`${path}: ${error.code === 'ENOENT' ? `${absent}.` : error.reason}`, {
      cause: error,
    });
  }
}

/** @param place of the text, for messages: a file, or `--set key=value` @throws RecipeError with the line */
export function parseYaml(text: string, place: string): YamlText {
  const lines = new LineCounter();
  lines.addNewLine(0);
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const refuse: Refuse = (reason, offset) => {
    const line = offset === undefined || !text.includes('\n') ? '' : `, line ${lineAt(offset)}`;
    const short = shorten(reason, 200);
    return new RecipeError(`${place}${line}: not valid YAML: ${short}`);
  };
  const document = compose(text, lines, refuse);
  new Check(refuse).node(document.contents);
  return {
    value: document.toJS({ maxAliasCount: -1 }),
    lineOf(path) {
      for (let depth = path.length; depth > 0; depth--) {
        const node = document.getIn(path.slice(0, depth), true);
        if (isNode(node) && node.range) return lineAt(node.range[0]);
      }
      return undefined;
    },
  };
}

type Refuse = (reason: string, offset?: number) => RecipeError;

function compose(text: string, lines: LineCounter, refuse: Refuse): Document.Parsed {
  if (text.length > MOST.bytes) throw refuse(`it has more than ${MOST.bytes / 2 ** 20} million characters`);
  const parser = new Parser(lines.addNewLine);
  const tokens = [];
  let words = 0;
  for (const word of new Lexer().lex(text)) {
    tokens.push(...parser.next(word));
    if (parser.stack.length > MOST.depth) {
      throw refuse(`more than ${MOST.depth} levels are nested`, parser.offset);
    }
    if (++words > MOST.words) throw refuse('it has millions of words');
  }
  tokens.push(...parser.end());
  // the parser's own check of repeated keys takes the square of their number, and so do its messages
  const options = { uniqueKeys: false, prettyErrors: false, logLevel: 'error' } as const;
  const [document, second] = [...new Composer(options).compose(tokens, true, text.length)];
  if (document === undefined) throw refuse('it holds no document');
  const [broken] = document.errors;
  if (broken) throw refuse(`${broken.message}.`, broken.pos[0]);
  if (second) throw refuse('a second document begins (---); there may be one only.', second.range[0]);
  return document;
}

/** How many values something stands for, and how deep they are nested. */
interface Extent {
  readonly values: number;
  readonly depth: number;
}

/** Goes over a document once, in the order of the text. */
class Check {
  readonly #refuse: Refuse;
  /** By anchor; null while it is open. */
  readonly #anchors = new Map<string, Extent | null>();
  #aliases = 0;

  constructor(refuse: Refuse) {
    this.#refuse = refuse;
  }

  node(node: unknown): Extent {
    if (isAlias(node)) return this.#alias(node.source, node.range?.[0]);
    if (!isNode(node)) return { values: 1, depth: 0 };
    const { anchor } = node as { anchor?: string };
    if (anchor !== undefined) this.#anchors.set(anchor, null);
    if (isMap(node)) this.#keys(node);
    const inner = isMap(node) ? node.items.map(({ value }) => value) : isSeq(node) ? node.items : [];
    let [values, depth] = [1, 0];
    for (const item of inner) {
      const own = this.node(item);
      values += own.values;
      depth = Math.max(depth, own.depth + 1);
      if (values > MOST.values || depth > MOST.depth) {
        throw this.#refuse(
          `written out, its aliases (*) make more than ${count(MOST.values)} values or ${MOST.depth} levels.`,
          node.range?.[0],
        );
      }
    }
    const extent = { values, depth };
    if (anchor !== undefined) this.#anchors.set(anchor, extent);
    return extent;
  }

  #alias(name: string, offset: number | undefined): Extent {
    const extent = this.#anchors.get(name);
    if (extent === undefined) {
      throw this.#refuse(`*${name} stands for nothing: no value above it is marked &${name}.`, offset);
    }
    if (extent === null) throw this.#refuse(`*${name} stands inside of &${name} itself.`, offset);
    if (++this.#aliases > MOST.aliases) throw this.#refuse(`more than ${MOST.aliases} aliases (*).`, offset);
    return extent;
  }

  #keys({ items }: YAMLMap<unknown, unknown>): void {
    const seen = new Set<string>();
    for (const { key } of items) {
      const offset = isNode(key) ? key.range?.[0] : undefined;
      if (!isScalar(key)) throw this.#refuse('a key must be a word or a number.', offset);
      const name = String(key.value);
      // would be taken for the prototype of the section by whoever copies it key by key
      if (name === '__proto__') throw this.#refuse('a key can’t be called __proto__.', offset);
      if (seen.has(name)) throw this.#refuse(`the key "${name}" occurs twice.`, offset);
      seen.add(name);
    }
  }
}
