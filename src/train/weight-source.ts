import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type PretrainedConfig, parseTimmConfig } from '../models/timm-config.js';
import { CheckpointError } from './checkpoint-error.js';

/** Where weights come from, before they are read: a file on this machine. */
export interface WeightSource {
  /** For messages. */
  readonly place: string;
  /** What is said of the weights beside them, before any of them is read; null where nothing is. */
  config(): Promise<PretrainedConfig | null>;
  /** Path of the safetensors file, or of the index of several. */
  file(): Promise<string>;
}

export function openWeightSource(source: string): WeightSource {
  return {
    place: source,
    config: () => configBeside(source),
    file: async () => source,
  };
}

/** A copy of a repository has a `config.json` beside its `model.safetensors`. */
async function configBeside(path: string): Promise<PretrainedConfig | null> {
  if (!/^model\.safetensors(\.index\.json)?$/.test(basename(path))) return null;
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
