import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isHubAddress, parseHubAddress } from '../hub/hub-address.js';
import { HubRepository } from '../hub/hub-repository.js';
import type { HubOptions } from '../hub/hub-settings.js';
import { type ClipConfig, huggingFaceClipConfig, openClipConfig } from '../models/clip/clip-config.js';
import { RegularFileError, readRegularText } from '../storage/regular-file.js';
import { ClipError } from './clip-error.js';
import type { TokenizerSource } from './tokens/tokenizer-files.js';

/** The files of one CLIP: a folder as a hub's repository has it, or the repository itself. */
export interface ClipFiles {
  readonly config: ClipConfig;
  /** Of the weights, or of the index of several. */
  readonly weights: string;
  readonly tokenizer: TokenizerSource | undefined;
  readonly notes: readonly string[];
}

/** By whom a repository's weights are called so, in the order of preference: open_clip, then Hugging Face. */
const WEIGHTS = [
  'open_clip_model.safetensors',
  'model.safetensors',
  'model.safetensors.index.json',
  'open_clip_pytorch_model.bin',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
];

const CONFIGS = [
  ['open_clip_config.json', openClipConfig],
  ['config.json', huggingFaceClipConfig],
] as const;

/** Asks for a file by name; undefined where there is none. */
type Find = (name: string) => Promise<string | undefined>;

/**
 * @param source a folder, a file of weights beside its config, or `hf-hub:owner/name@revision:file`
 * @throws ClipError naming the file that is missing; ModelError for a config of another network; HubError
 */
export async function findClip(source: string, hub: HubOptions = {}): Promise<ClipFiles> {
  if (isHubAddress(source)) {
    const address = parseHubAddress(source);
    const repository = await HubRepository.open(address, hub);
    const files = await collect(source, (name) => repository.optional(name), address.file);
    return { ...files, notes: repository.notes };
  }
  const found = await stat(source).catch(() => undefined);
  if (!found) throw new ClipError(`${source}: there is no such file or folder.`);
  const [folder, file] = found.isDirectory() ? [source, undefined] : [dirname(source), basename(source)];
  const find: Find = async (name) =>
    (await stat(join(folder, name)).catch(() => undefined)) ? join(folder, name) : undefined;
  return { ...(await collect(source, find, file)), notes: [] };
}

async function collect(place: string, find: Find, file?: string): Promise<Omit<ClipFiles, 'notes'>> {
  const config = await readConfig(place, find);
  const weights = await first(find, file === undefined ? WEIGHTS : [file]);
  if (weights === undefined) {
    throw new ClipError(
      `${place}: there are no weights; looked for ${(file ? [file] : WEIGHTS).join(', ')}.`,
    );
  }
  return { config, weights, tokenizer: await findTokenizer(find) };
}

async function readConfig(place: string, find: Find): Promise<ClipConfig> {
  for (const [name, parse] of CONFIGS) {
    const path = await find(name);
    if (path === undefined) continue;
    const text = await readRegularText(path).catch((error: unknown) => {
      throw error instanceof RegularFileError ? new ClipError(error.message, { cause: error }) : error;
    });
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (cause) {
      throw new ClipError(`${path}: is no JSON (${cause instanceof Error ? cause.message : cause}).`, {
        cause,
      });
    }
    return parse(json);
  }
  const names = CONFIGS.map(([name]) => name).join(' or ');
  throw new ClipError(`${place}: there is no ${names}, which says what the towers look like.`);
}

/**
 * The tokenizer of another model, such as CLIP's own for weights that bring none.
 * @param source a folder, a file, or `hf-hub:owner/name`
 * @throws ClipError, HubError
 */
export async function tokenizerAt(source: TokenizerSource, hub: HubOptions = {}): Promise<TokenizerSource> {
  if (typeof source !== 'string' || !isHubAddress(source)) return source;
  const repository = await HubRepository.open(parseHubAddress(source), hub);
  const found = await findTokenizer((name) => repository.optional(name));
  if (found !== undefined) return found;
  throw new ClipError(`${source}: holds no tokenizer (tokenizer.json, or vocab.json and merges.txt).`);
}

async function findTokenizer(find: Find): Promise<TokenizerSource | undefined> {
  const whole = await first(find, ['tokenizer.json', 'bpe_simple_vocab_16e6.txt.gz']);
  if (whole !== undefined) return whole;
  const vocabulary = await find('vocab.json');
  const merges = await find('merges.txt');
  return vocabulary !== undefined && merges !== undefined ? { vocabulary, merges } : undefined;
}

async function first(find: Find, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const path = await find(name);
    if (path !== undefined) return path;
  }
  return undefined;
}
