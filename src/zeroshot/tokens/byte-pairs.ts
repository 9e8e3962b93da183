import { z } from 'zod';
import { TailrayError } from '../../engine/errors.js';
import { shorten } from '../../text/shorten.js';

/**
 * The vocabulary of a byte-pair tokenizer of CLIP's kind, out of the three forms in which models carry it. Every symbol
 * is written with one character a byte; `</w>` marks the end of a word.
 */
export interface BytePairs {
  /** Ids by symbol, special tokens included. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Pairs of symbols in the order in which they are joined. */
  readonly merges: readonly (readonly [string, string])[];
  readonly startId: number;
  readonly endId: number;
}

/** A tokenizer that can't be read, or that is of another kind of model; the message names the file. */
export class TokenizerError extends TailrayError {}

export const WORD_END = '</w>';

/** The names of the first and the last token of a text: OpenAI's and Hugging Face's, then open_clip's. */
const START_NAMES = ['<|startoftext|>', '<start_of_text>'];
const END_NAMES = ['<|endoftext|>', '<end_of_text>'];

/** CLIP's list of merges goes on after these; the vocabulary of 49,408 ends here. */
const MERGES_OF_CLIP = 48_894;

/** Far above the 49,408 of CLIP; a table of so many rows would have gigabytes. */
const id = z
  .int()
  .nonnegative()
  .max(2 ** 24);
const ids = z.record(z.string(), id);
const tokenizerFile = z.object({
  added_tokens: z.array(z.object({ content: z.string(), id })).default([]),
  model: z.object({
    type: z.literal('BPE').default('BPE'),
    end_of_word_suffix: z.literal(WORD_END),
    continuing_subword_prefix: z.literal('').nullish(),
    byte_fallback: z.literal(false).nullish(),
    ignore_merges: z.literal(false).nullish(),
    vocab: ids,
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
});

/** From the text of a tokenizer.json. @param place of the file, for messages @throws TokenizerError */
export function tokenizerJson(text: string, place: string): BytePairs {
  const content = parseJson(text, place);
  const checked = tokenizerFile.safeParse(content);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const where = issue?.path.join('.') ?? '';
    throw new TokenizerError(
      `${place}: this tokenizer.json is not of CLIP's kind: ${where === '' ? '' : `${where}: `}${issue?.message}. ` +
        "Take the tokenizer.json that lies beside the model's weights.",
    );
  }
  const { model, added_tokens } = checked.data;
  const vocabulary = new Map(Object.entries(model.vocab));
  // words that somebody added to the vocabulary are no part of it: texts never name special tokens
  for (const { content, id } of added_tokens) {
    if (START_NAMES.includes(content) || END_NAMES.includes(content)) vocabulary.set(content, id);
  }
  const merges = model.merges.map((merge, index) =>
    typeof merge === 'string' ? pair(merge, `${place}: model.merges.${index}`) : merge,
  );
  return checkedPairs(vocabulary, merges, place);
}

/** From the texts of a vocab.json and a merges.txt. @throws TokenizerError */
export function vocabularyAndMerges(
  vocabulary: { readonly text: string; readonly place: string },
  merges: { readonly text: string; readonly place: string },
): BytePairs {
  const checked = ids.safeParse(parseJson(vocabulary.text, vocabulary.place));
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const where = issue?.path.join('.') || 'the whole';
    throw new TokenizerError(
      `${vocabulary.place}: must hold a whole number for each token: ${where}: ${issue?.message}.`,
    );
  }
  return checkedPairs(
    new Map(Object.entries(checked.data)),
    pairs(merges.text, merges.place),
    vocabulary.place,
  );
}

/** From the text of open_clip's bpe_simple_vocab_16e6.txt: the ids follow from the order of its lines. @throws TokenizerError */
export function mergeList(text: string, place: string): BytePairs {
  const merges = pairs(text, place, MERGES_OF_CLIP);
  const bytes = byteSymbols();
  const symbols = [...bytes, ...bytes.map((symbol) => symbol + WORD_END), ...merges.map(([a, b]) => a + b)];
  symbols.push(START_NAMES[0] ?? '', END_NAMES[0] ?? '');
  return checkedPairs(new Map(symbols.map((symbol, id) => [symbol, id])), merges, place);
}

/** The characters that stand for the 256 bytes: first those that are their own, then the others from U+0100 on. */
export function byteSymbols(): string[] {
  const own = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte < 0xad) || byte > 0xad;
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const others = bytes.filter((byte) => !own(byte)).map((_, index) => 256 + index);
  return [...bytes.filter(own), ...others].map((code) => String.fromCharCode(code));
}

function checkedPairs(
  vocabulary: ReadonlyMap<string, number>,
  merges: readonly (readonly [string, string])[],
  place: string,
): BytePairs {
  const special = (names: readonly string[], what: string) => {
    const found = names.find((name) => vocabulary.has(name));
    const id = found === undefined ? undefined : vocabulary.get(found);
    if (id !== undefined) return id;
    throw new TokenizerError(
      `${place}: has no token for the ${what} of a text (${names.join(' or ')}): it belongs to another model than a CLIP.`,
    );
  };
  const startId = special(START_NAMES, 'start');
  const endId = special(END_NAMES, 'end');
  const owners = new Map<number, string>();
  for (const [symbol, id] of vocabulary) {
    const other = owners.get(id);
    if (other !== undefined) {
      throw new TokenizerError(`${place}: the tokens "${other}" and "${symbol}" have the same id, ${id}.`);
    }
    owners.set(id, symbol);
  }
  const absent = byteSymbols()
    .flatMap((symbol) => [symbol, symbol + WORD_END])
    .find((symbol) => !vocabulary.has(symbol));
  if (absent !== undefined) {
    throw new TokenizerError(
      `${place}: has no token "${absent}": a CLIP has one for each byte, with ${WORD_END} and without.`,
    );
  }
  const joined = merges.findIndex(([a, b]) => !vocabulary.has(a + b));
  if (joined >= 0) {
    throw new TokenizerError(
      `${place}: merge ${joined + 1} ("${merges[joined]?.join(' ')}") makes a token that the vocabulary does not have. ` +
        'Vocabulary and merges are of different models.',
    );
  }
  return { vocabulary, merges, startId, endId };
}

/** Lines of two symbols, after a line with the version where there is one. */
function pairs(text: string, place: string, most = Number.POSITIVE_INFINITY): (readonly [string, string])[] {
  const lines = text.split(/\r?\n/);
  const first = lines[0]?.includes('#version') ? 1 : 0;
  const merges: (readonly [string, string])[] = [];
  for (let index = first; index < lines.length && merges.length < most; index++) {
    const line = lines[index] ?? '';
    if (line !== '' || index < lines.length - 1) merges.push(pair(line, `${place}, line ${index + 1}`));
  }
  return merges;
}

function pair(line: string, place: string): readonly [string, string] {
  const [a, b, more] = line.split(' ');
  if (a && b && more === undefined) return [a, b];
  throw new TokenizerError(
    `${place}: "${shorten(line, 40)}" is no merge: two symbols with a space between them.`,
  );
}

function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? shorten(cause.message, 200) : String(cause);
    throw new TokenizerError(
      `${place}: not valid JSON: ${reason}. The file may be cut off: fetch it again.`,
      { cause },
    );
  }
}
