import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isHubAddress, parseHubAddress } from '../hub/hub-address.js';
import type { HubOptions } from '../hub/hub-settings.js';
import { type PretrainedConfig, parseTimmConfig } from '../models/weights/timm-config.js';
import { readRegularText } from '../storage/regular-file.js';
import { CheckpointError } from './checkpoint-error.js';
import { HubWeights } from './hub-weights.js';
import type { WeightSource } from './weight-source.js';

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
  const text = await readRegularText(join(dirname(path), 'config.json')).catch(() => null);
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
