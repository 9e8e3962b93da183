import { z } from 'zod';
import { preprocessingSchema } from '../data/images/preprocessing.js';
import { STEMS } from '../models/backbones/backbone.js';
import { headSchema } from '../models/heads/head-schema.js';
import { defineModel, type ModelDefinition } from '../models/model.js';
import {
  type SafetensorsFile,
  type SafetensorsTensor,
  writeSafetensors,
} from '../models/safetensors/safetensors.js';
import type { PretrainedConfig } from '../models/weights/timm-config.js';
import { type FileSystem, writeAtomically } from '../storage/atomic-file.js';
import { contentDigest, DIGEST_KEY } from '../storage/content-digest.js';
import { parseJson } from '../storage/parse-json.js';
import { CheckpointError } from './checkpoint-error.js';
import { isShardIndex, readShards } from './sharded-weights.js';
import { decodeWeights, readWeightFile, type WeightFile } from './weight-file.js';

/**
 * A trained model in one file: weights under timm's names, and in the metadata all that is needed to use them as they
 * were trained: the network, the classes in order, the preprocessing, and what was measured. Nothing in it depends on
 * the machine or the hour, so the same training gives the same bytes.
 */

const FORMAT = 'tailray-checkpoint';
const FORMAT_VERSION = 1;

const modelSchema = z.object({
  arch: z.string(),
  classes: z.int().min(1),
  inChannels: z.int().min(1),
  head: headSchema,
  prompts: z.array(z.array(z.string()).readonly()).readonly().optional(),
  stem: z.enum(STEMS),
  width: z.int().min(1),
  dropRate: z.number().min(0).lt(1),
  dropPathRate: z.number().min(0).lt(1).default(0),
});

const aboutSchema = z.object({
  /** The network; see `networkOf`. */
  model: modelSchema,
  /** Names of the outputs, in order. */
  classes: z.array(z.string()).min(1),
  /** Other classes whose labels earlier stages of its training saw; absent where there were none. */
  seenBefore: z.array(z.string()).min(1).optional(),
  preprocessing: preprocessingSchema,
  /** Whether these are the averaged weights or those of the last step. */
  weights: z.enum(['average', 'raw']),
  /** Epochs and steps that went into them. */
  epoch: z.int().min(0),
  step: z.int().min(0),
  /** On the validation split; null where no class has the metric. */
  metrics: z.object({ mAP: z.number().nullable(), auroc: z.number().nullable() }),
  /** Per class, positives / known labels of the training split; null where none is known. */
  prevalence: z.array(z.number().nullable()),
  /** Whether the pictures it was trained on were drawn by a program; absent in older files. */
  simulated: z.boolean().optional(),
  /** The recipe, without the paths of the machine it ran on. */
  recipe: z.record(z.string(), z.unknown()),
  /** Files whose mean the weights are, each as its folder and name; absent for a training's own. */
  averaged: z.array(z.string()).optional(),
  /** Version of tailray that wrote the file. */
  tailray: z.string(),
});

/** What a checkpoint says of itself. */
export type CheckpointAbout = z.infer<typeof aboutSchema>;

export interface Checkpoint extends CheckpointAbout {
  /** Parameters and running statistics under timm's names. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
}

/** The network that a checkpoint is of. @throws ModelError */
export function networkOf({
  model,
  preprocessing,
}: Pick<CheckpointAbout, 'model' | 'preprocessing'>): ModelDefinition {
  return defineModel({ ...model, imageSize: preprocessing.size });
}

const declaration = z.object({ zeroshot: z.object({ unseen: z.array(z.string()) }) });

/** The findings for which its run was declared zero-shot; none where it was not. */
export function unseenOf({
  recipe,
  classes,
}: Pick<CheckpointAbout, 'recipe' | 'classes'>): readonly string[] {
  const declared = declaration.safeParse(recipe);
  return declared.success ? declared.data.zeroshot.unseen.filter((name) => !classes.includes(name)) : [];
}

/** The file's bytes; the same checkpoint gives the same bytes. */
export async function encodeCheckpoint(checkpoint: Checkpoint): Promise<Uint8Array<ArrayBuffer>> {
  const { tensors, ...about } = checkpoint;
  const metadata: Record<string, string> = {
    format: FORMAT,
    formatVersion: String(FORMAT_VERSION),
    ...aboutTexts(about),
  };
  metadata[DIGEST_KEY] = await contentDigest(tensors, metadata);
  return writeSafetensors(tensors, metadata);
}

/** What a checkpoint says of itself as metadata: a JSON text for each field, in this file and in exported ones. */
export function aboutTexts(about: CheckpointAbout): Record<string, string> {
  const fields = Object.entries(aboutSchema.parse(about)).filter(([, value]) => value !== undefined);
  return Object.fromEntries(fields.map(([key, value]) => [key, JSON.stringify(value)]));
}

/** Writes a checkpoint, whole or not at all. @throws StorageError */
export async function writeCheckpoint(
  path: string,
  checkpoint: Checkpoint,
  files?: FileSystem,
): Promise<void> {
  await writeAtomically(path, await encodeCheckpoint(checkpoint), files);
}

/**
 * Reads a checkpoint and checks that it is whole and unchanged.
 * @throws CheckpointError 'missing', 'foreign', 'pickle', 'newer' or 'damaged'
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  return checkpointOf(await readWeightFile(path), path);
}

/** The same from bytes. `path` is for messages. @throws CheckpointError */
export async function decodeCheckpoint(bytes: Uint8Array, path: string): Promise<Checkpoint> {
  return checkpointOf(await decodeWeights(bytes, path), path);
}

async function checkpointOf({ tensors, metadata }: SafetensorsFile, path: string): Promise<Checkpoint> {
  if (metadata.format !== FORMAT) {
    throw new CheckpointError(
      'foreign',
      path,
      'holds weights, but is no checkpoint of tailray: its classes and preprocessing are unknown. ' +
        'A recipe can say them: tailray import FILE --recipe RECIPE --out CHECKPOINT. To start a training from it, name it ' +
        'as model.weights in the recipe.',
    );
  }
  const version = Number(metadata.formatVersion);
  if (version > FORMAT_VERSION) {
    throw new CheckpointError(
      'newer',
      path,
      `is of format ${version}, this version of tailray reads up to ${FORMAT_VERSION}: update tailray.`,
    );
  }
  await verifyContent(tensors, metadata, path);
  const fields = Object.keys(aboutSchema.shape).map((key) => [key, parseJson(metadata[key])]);
  const about = aboutSchema.safeParse(Object.fromEntries(fields));
  if (!about.success) {
    const [issue] = about.error.issues;
    throw new CheckpointError(
      'damaged',
      path,
      `its metadata are not as they should be (${issue?.path.join('.')}: ${issue?.message}).`,
    );
  }
  return { ...about.data, tensors };
}

/**
 * Reads any safetensors file, zip archive of torch.save, or index of several, to start a training from. A checkpoint of
 * ours is verified as well.
 * @throws CheckpointError 'missing', 'pickle' or 'damaged'
 */
export async function readWeights(path: string): Promise<WeightFile> {
  if (isShardIndex(path)) return readShards(path);
  const file = await readWeightFile(path);
  if (file.metadata.format === FORMAT) await verifyContent(file.tensors, file.metadata, path);
  return file;
}

/** What a file of ours, a checkpoint or an exported one, says of its training; null for anybody else's. */
export function pretrainingOf(metadata: Readonly<Record<string, string>>): PretrainedConfig | null {
  const model = modelSchema.safeParse(parseJson(metadata.model));
  const preprocessing = preprocessingSchema.safeParse(parseJson(metadata.preprocessing));
  if (!model.success || !preprocessing.success) return null;
  const { mean, std } = preprocessing.data;
  return { architecture: model.data.arch, mean, std };
}

/** @throws CheckpointError 'damaged' where a file of ours no longer has the digest in its metadata */
export async function verifyContent(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  metadata: Readonly<Record<string, string>>,
  path: string,
): Promise<void> {
  if ((await contentDigest(tensors, metadata)) !== metadata[DIGEST_KEY]) {
    throw new CheckpointError(
      'damaged',
      path,
      'its content has changed since it was written (the SHA-256 in its metadata differs): ' +
        'restore it from a copy, or train again.',
    );
  }
}
