import type { Stem } from '../../src/models/backbones/backbone.js';
import type { HeadSettings } from '../../src/models/heads/head.js';
import { defineModel, type ModelDefinition } from '../../src/models/model.js';
import { importTimm, type ModelTensors, type ModelWeights } from '../../src/models/weights/timm-weights.js';
import type { Digest } from './digest.js';
import { withNaN } from './golden-files.js';
import { hashImages, hashTensor } from './hash-weights.js';

/** What every golden file of a model begins with, and the same network and batch here. */
export interface ModelGolden {
  readonly arch: string;
  readonly stem?: Stem;
  readonly width?: number;
  readonly head?: HeadSettings;
  readonly classes: number;
  /** [n, h, w, c] */
  readonly images: readonly [number, number, number, number];
  /** Which pictures; see `hashImages`. */
  readonly pictures: number;
  /** [n, classes], null = unknown */
  readonly targets: readonly (readonly (number | null)[])[];
  /** PyTorch's shape of every tensor of the state dict, by name. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** How far PyTorch in float32 is from PyTorch in float64. */
  readonly float32Error: Readonly<Record<string, { readonly worst: number }>>;
}

/** One pass, forward and backward. */
export interface PassGolden {
  readonly logits: readonly (readonly number[])[];
  readonly loss: number;
  readonly gradients: Readonly<Record<string, Digest>>;
}

/** The network, with the hashed weights as a checkpoint would hold them. */
export function goldenModel({
  arch,
  stem,
  width,
  head,
  classes,
  images,
  shapes,
}: Pick<ModelGolden, 'arch' | 'stem' | 'width' | 'head' | 'classes' | 'images' | 'shapes'>): {
  definition: ModelDefinition;
  weights: ModelWeights;
} {
  const definition = defineModel({
    arch,
    stem,
    width,
    classes,
    inChannels: images[3],
    imageSize: [images[1], images[2]],
    ...(head && { head }),
  });
  return { definition, weights: hashWeights(definition, shapes) };
}

/** Weights as a checkpoint would hold them. @param shapes PyTorch's, by name */
export function hashWeights(tensors: ModelTensors, shapes: ModelGolden['shapes']): ModelWeights {
  const hashed = Object.entries(shapes).map(
    ([name, shape]) => [name, { dtype: 'F32', shape, data: hashTensor(name, shape) }] as const,
  );
  return importTimm(tensors, new Map(hashed));
}

/** Feeds of the programs that are compared with PyTorch. */
export function goldenBatch({ images, pictures, targets }: ModelGolden) {
  return {
    images: hashImages(images, pictures),
    targets: Float32Array.from(withNaN(targets.flat())),
  };
}
