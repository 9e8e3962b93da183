import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { RegularFileError, readRegularFile } from '../../storage/regular-file.js';
import { formatByteSize } from '../../text/byte-size.js';
import {
  type BytePairs,
  mergeList,
  TokenizerError,
  tokenizerJson,
  vocabularyAndMerges,
} from './byte-pairs.js';

/** Where a tokenizer is read from: a folder, a file, or two files that belong together. */
export type TokenizerSource = string | { readonly vocabulary: string; readonly merges: string };

/** CLIP's largest, tokenizer.json, has 3.6 MB; its list of merges 3.2 MB unpacked. */
const MOST_BYTES = 32 * 2 ** 20;

/** In a folder, the first that is there. */
const WHOLE_FILES = ['tokenizer.json', 'bpe_simple_vocab_16e6.txt.gz', 'bpe_simple_vocab_16e6.txt'];

/** @returns the vocabulary, and the file that a message about it names @throws TokenizerError */
export async function readBytePairs(source: TokenizerSource): Promise<{ pairs: BytePairs; place: string }> {
  if (typeof source !== 'string') return readTwo(source.vocabulary, source.merges);
  const found = await stat(source).catch(() => null);
  if (!found?.isDirectory()) return readOne(source);
  const has = async (name: string) => (await stat(join(source, name)).catch(() => null)) !== null;
  const [first, ...others] = WHOLE_FILES;
  if (first !== undefined && (await has(first))) return readOne(join(source, first));
  if ((await has('vocab.json')) && (await has('merges.txt'))) {
    return readTwo(join(source, 'vocab.json'), join(source, 'merges.txt'));
  }
  for (const name of others) if (await has(name)) return readOne(join(source, name));
  throw new TokenizerError(
    `${source}: holds no tokenizer. A CLIP's is tokenizer.json, or vocab.json with merges.txt, or open_clip's ` +
      'bpe_simple_vocab_16e6.txt.gz; put one there.',
  );
}

async function readOne(path: string): Promise<{ pairs: BytePairs; place: string }> {
  const name = basename(path).toLowerCase();
  if (name === 'vocab.json' || name === 'merges.txt') {
    throw new TokenizerError(
      `${path}: is half of a tokenizer. Give the folder that has vocab.json and merges.txt.`,
    );
  }
  const text = await readText(path);
  return { pairs: name.endsWith('.json') ? tokenizerJson(text, path) : mergeList(text, path), place: path };
}

async function readTwo(vocabulary: string, merges: string): Promise<{ pairs: BytePairs; place: string }> {
  const pairs = vocabularyAndMerges(
    { text: await readText(vocabulary), place: vocabulary },
    { text: await readText(merges), place: merges },
  );
  return { pairs, place: vocabulary };
}

async function readText(path: string): Promise<string> {
  const bytes = await readBytes(path);
  if (!path.endsWith('.gz')) return bytes.toString('utf8');
  try {
    const text = await promisify(gunzip)(bytes, { maxOutputLength: MOST_BYTES });
    return text.toString('utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(path, 'unpacks to');
    throw new TokenizerError(
      `${path}: can't be unpacked (${code}). The file may be cut off: fetch it again.`,
      { cause },
    );
  }
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readRegularFile(path, { maxBytes: MOST_BYTES });
  } catch (error) {
    if (!(error instanceof RegularFileError)) throw error;
    if (error.code === 'TOO_LARGE') throw tooLarge(path, 'has');
    throw new TokenizerError(`${path}: ${error.reason}`, { cause: error });
  }
}

function tooLarge(path: string, has: string): TokenizerError {
  const most = formatByteSize(MOST_BYTES);
  return new TokenizerError(
    `${path}: ${has} more than ${most}. A CLIP's tokenizer is far smaller: is it another file?`,
  );
}
