import { Tokenizer } from '@huggingface/tokenizers';
import { sha256 } from '../../storage/content-digest.js';
import { count } from '../../text/numbers.js';
import { type BytePairs, TokenizerError, WORD_END } from './byte-pairs.js';
import { CLEANING_VERSION, cleanText } from './clean-text.js';
import { readBytePairs, type TokenizerSource } from './tokenizer-files.js';

/**
 * Texts as the ids that a CLIP's text tower reads. Cleaning, first and last token and the cut to the context are here;
 * words and byte pairs are the package's. The package is given the vocabulary alone and no file's own rules: those of
 * published tokenizer.json files split some words otherwise than the tokenizer that CLIPs were trained with.
 */

export interface TokenizerOptions {
  /** Ids a text, first and last token included; the text tower has as many positions. 77 by default. */
  readonly context?: number;
  /** Rows of the model's token table. A tokenizer of another size is refused. */
  readonly vocabularySize?: number;
}

/** Ids of n texts. */
export interface TokenizedTexts {
  /** [n, context]: first token, the text's, last token, and 0 after it. */
  readonly tokens: Uint32Array<ArrayBuffer>;
  /** [n]: the place of each text's last token, counted from the text's own start. Its value there is the text's embedding. */
  readonly ends: Uint32Array<ArrayBuffer>;
  /** How many of the texts were longer than the context and lost their ends. */
  readonly cut: number;
}

export class ClipTokenizer {
  readonly #words: Tokenizer;
  readonly #startId: number;
  readonly #endId: number;

  private constructor(
    pairs: BytePairs,
    /** Ids a text. */
    readonly context: number,
    /** Ids are below this. */
    readonly vocabularySize: number,
    /** SHA-256 of all that decides the ids of a text. */
    readonly digest: string,
  ) {
    this.#startId = pairs.startId;
    this.#endId = pairs.endId;
    this.#words = wordTokenizer(pairs);
  }

  /**
   * Reads a model's own tokenizer.
   * @param source a folder with tokenizer.json, vocab.json and merges.txt, or bpe_simple_vocab_16e6.txt.gz; one of these
   *   files; or the paths of vocab.json and merges.txt
   * @throws TokenizerError where a file is missing, broken, too large, or of another model
   */
  static async fromFiles(
    source: TokenizerSource,
    { context = 77, vocabularySize }: TokenizerOptions = {},
  ): Promise<ClipTokenizer> {
    if (!Number.isInteger(context) || context < 2) {
      throw new TokenizerError(
        `The context of a tokenizer must be a whole number of at least 2, not ${context}.`,
      );
    }
    const { pairs, place } = await readBytePairs(source);
    let size = 0;
    for (const id of pairs.vocabulary.values()) size = Math.max(size, id + 1);
    if (vocabularySize !== undefined && vocabularySize !== size) {
      throw new TokenizerError(
        `${place}: a tokenizer of ${count(size)} tokens; the model has ${count(vocabularySize)}. ` +
          "It belongs to another model: take the one that lies beside the model's weights.",
      );
    }
    const { startId, endId, merges } = pairs;
    const vocabulary = [...pairs.vocabulary].sort(([, a], [, b]) => a - b);
    const content = { cleaning: CLEANING_VERSION, context, startId, endId, vocabulary, merges };
    return new ClipTokenizer(pairs, context, size, await sha256(JSON.stringify(content)));
  }

  /** Ids of texts of any length, the empty one included. A special token's name in a text is ordinary text. */
  encode(texts: readonly string[]): TokenizedTexts {
    const tokens = new Uint32Array(texts.length * this.context);
    const ends = new Uint32Array(texts.length);
    let cut = 0;
    for (const [row, text] of texts.entries()) {
      const ids = this.#words.encode(cleanText(text), { add_special_tokens: false }).ids;
      const kept = Math.min(ids.length, this.context - 2);
      if (kept < ids.length) cut++;
      const start = row * this.context;
      tokens[start] = this.#startId;
      tokens.set(ids.slice(0, kept), start + 1);
      tokens[start + 1 + kept] = this.#endId;
      ends[row] = 1 + kept;
    }
    return { tokens, ends, cut };
  }
}

/**
 * Words as CLIP cuts them: a contraction, letters, one digit, or other signs. Its pattern ignores case, which shows in two
 * places although texts are in small letters: the long s is an s, and U+0345, whose capital is a letter, is in no word.
 */
const WORD = "'[sſ]|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}|[^\\s\\p{L}\\p{N}\\u0345]+";

function wordTokenizer({ vocabulary, merges }: BytePairs): Tokenizer {
  const definition = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: WORD }, behavior: 'Removed', invert: true },
        // without its own pattern, which would cut a word once more at U+FEFF
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ],
    },
    model: {
      type: 'BPE',
      end_of_word_suffix: WORD_END,
      vocab: Object.fromEntries(vocabulary),
      merges,
    },
    post_processor: null,
    decoder: null,
  };
  return new Tokenizer(definition, {});
}
