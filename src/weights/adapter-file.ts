import { dirname, join } from 'node:path';
import { type SafetensorsTensor, writeSafetensors } from '../models/safetensors/safetensors.js';
import type { PretrainedConfig } from '../models/weights/timm-config.js';
import { exportTimm, type ModelTensors, type ModelWeights } from '../models/weights/timm-weights.js';
import { type FileSystem, writeAtomically } from '../storage/atomic-file.js';
import { contentDigest, DIGEST_KEY } from '../storage/content-digest.js';
import { readRegularText } from '../storage/regular-file.js';
import { aboutTexts, type CheckpointAbout, pretrainingOf, verifyContent } from './checkpoint.js';
import { CheckpointError } from './checkpoint-error.js';
import { type PeftConfig, parsePeftConfig, peftConfigOf } from './peft-config.js';
import { readWeightFile } from './weight-file.js';

/**
 * LoRA adapters in a file of their own, apart from the weights that they stand beside: as PEFT writes them (its names in
 * front of timm's, `base_model.model.blocks.0.attn.qkv.lora_A.weight`), with PEFT's configuration in the metadata. What
 * else the training changed, such as a head, is in the file as a whole.
 */

const FORMAT = 'tailray-adapters';
const FORMAT_VERSION = 1;
const PREFIX = 'base_model.model.';
const CONFIG_FILE = 'adapter_config.json';

export interface TrainedAdapters {
  /** The adapters, and what else was trained or followed the batches. */
  readonly changed: ModelTensors;
  /** All else of the network. */
  readonly kept: ModelTensors;
  /** Values of both, adapters not merged. */
  readonly weights: ModelWeights;
}

export interface AdapterFile {
  /** For messages. */
  readonly path: string;
  /** By the network's names, without PEFT's prefix. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  readonly config: PeftConfig;
  /** Of the weights that the adapters were trained beside (`baseDigest`); absent in files of PEFT's. */
  readonly base?: string | undefined;
  /** What a file of ours says of its network and images. */
  readonly pretraining: PretrainedConfig | null;
}

/** Writes adapters, whole or not at all; the same ones give the same bytes. @throws StorageError */
export async function writeAdapters(
  path: string,
  about: CheckpointAbout,
  { changed, kept, weights }: TrainedAdapters,
  files?: FileSystem,
): Promise<void> {
  const named = [...exportTimm(changed, weights)].map(([name, tensor]) => [PREFIX + name, tensor] as const);
  const tensors = new Map(named);
  const metadata: Record<string, string> = {
    ...aboutTexts(about),
    format: FORMAT,
    formatVersion: String(FORMAT_VERSION),
    adapterConfig: JSON.stringify(peftConfigOf(changed.parameters)),
    base: await baseDigest(kept, weights),
  };
  metadata[DIGEST_KEY] = await contentDigest(tensors, metadata);
  await writeAtomically(path, writeSafetensors(tensors, metadata), files);
}

/**
 * Reads a file of ours, or PEFT's `adapter_model.safetensors` (or `.bin`) with its `adapter_config.json` beside it.
 * @throws CheckpointError 'missing', 'pickle', 'damaged', 'newer'; 'foreign' for a file without LoRA adapters
 */
export async function readAdapters(path: string): Promise<AdapterFile> {
  const { tensors, metadata } = await readWeightFile(path);
  const own = metadata.format === FORMAT;
  if (own) {
    if (Number(metadata.formatVersion) > FORMAT_VERSION) {
      throw new CheckpointError('newer', path, 'was written by a later version of tailray: update tailray.');
    }
    await verifyContent(tensors, metadata, path);
  }
  if (![...tensors.keys()].some((name) => /\.lora_A\./.test(name))) {
    throw new CheckpointError(
      'foreign',
      path,
      'holds no LoRA adapters (tensors called ….lora_A.weight). Whole weights are named as model.weights.',
    );
  }
  const config = parsePeftConfig(own ? (metadata.adapterConfig ?? '') : await configBeside(path));
  if ('reason' in config) {
    throw new CheckpointError(
      'foreign',
      path,
      `${own ? 'its metadata' : `the ${CONFIG_FILE} beside it`} ${config.reason}.`,
    );
  }
  return {
    path,
    tensors: new Map([...tensors].map(([name, tensor]) => [ownName(name), tensor])),
    config,
    base: own ? metadata.base : undefined,
    pretraining: pretrainingOf(metadata),
  };
}

/**
 * Tells base weights from others. Position embeddings do not count: those of one network differ from one image size to
 * the next.
 */
export function baseDigest({ parameters, statistics }: ModelTensors, weights: ModelWeights): Promise<string> {
  const lasting = parameters.filter(({ positions }) => positions === undefined);
  return contentDigest(exportTimm({ parameters: lasting, statistics }, weights), {});
}

async function configBeside(path: string): Promise<string> {
  return readRegularText(join(dirname(path), CONFIG_FILE)).catch((error: unknown) => {
    throw new CheckpointError(
      'foreign',
      path,
      `is no file of tailray's, and has no ${CONFIG_FILE} beside it, where PEFT says the rank and scale of adapters: ` +
        'put it there.',
      { cause: error },
    );
  });
}

/** PEFT wraps the network, its adapted layers, and modules that are trained as a whole. */
function ownName(name: string): string {
  const inside = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
  return inside.replace(/\.base_layer(?=\.)/, '').replace(/\.modules_to_save(\.default)?(?=\.)/, '');
}
