import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isHubAddress, parseHubAddress } from '../hub/hub-address.js';
import type { HubOptions } from '../hub/hub-settings.js';
import { type PretrainedConfig, parseTimmConfig } from '../models/weights/timm-config.js';
import { CheckpointError } from './checkpoint-error.js';
import { HubWeights } from './hub-weights.js';

/** Where weights come from, before they are read: a file on this machine, or a repository on a hub. */
export interface WeightSource {
  /** For messages. */
  readonly place: string;
  /** What is said of the weights beside them, before any of them is read; null where nothing is. */
  config(): Promise<PretrainedConfig | null>;
  /** Path of the file of weights, or of the index of several; on this machine afterwards. */
  file(): Promise<string>;
  /** The same place, so that it means the same from any folder and at any time. */
  pinned(): Promise<string>;
  /** What a person should know about the way here, a sentence each. */
  notes(): Promise<readonly string[]>;
}

/** @param source a path, or `hf-hub:owner/name@revision:file` @throws HubError 'address' */
export function openWeightSource(source: string, hub: HubOptions = {}): WeightSource {
  if (isHubAddress(source)) return new HubWeights(parseHubAddress(source), hub);
  return {
    place: source,
    config: () => configBeside(source),
    file: () => existing(source),
    pinned: async () => resolve(source),
    notes: async () => [],
  };
}

async function existing(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return path;
  const what = found ? 'is no file.' : 'there is no such file.';
  throw new CheckpointError('missing', path, `${what}${/^https?:/.test(path) ? ` ${NO_ADDRESS}` : ''}`);
}

const NO_ADDRESS = 'Weights on a hub are called hf-hub:owner/name.';

/** A copy of a repository has a `config.json` beside its `model.safetensors` or `pytorch_model.bin`. */
async function configBeside(path: string): Promise<PretrainedConfig | null> {
  if (!/^(model\.safetensors|pytorch_model\.bin)(\.index\.json)?$/.test(basename(path))) return null;
  const text = await readFile(join(dirname(path), 'config.json'), 'utf8').catch(() => null);
  return text === null ? null : parseTimmConfig(text);
}

/** @throws CheckpointError 'mismatch' where the weights are said to be another network's than `arch` */
export function requireArchitecture(config: PretrainedConfig | null, arch: string, place: string): void {
  const theirs = config?.architecture;
  if (theirs === undefined || theirs === arch) return;
  throw new CheckpointError(
    'mismatch',
    place,
    `has weights of ${theirs}, the model is a ${arch}: set model.arch to ${theirs}, or take weights of ${arch}.`,
  );
}
