import { defineModel, type ModelDefinition } from '../../src/models/model.js';
import { importTimm, type ModelWeights } from '../../src/models/timm-weights.js';
import type { Digest } from './digest.js';
import { readGolden, withNaN } from './golden-files.js';
import { hashImages, hashTensor } from './hash-weights.js';

/** What make_resnet.py writes: PyTorch's answers for a ResNet of hashed weights, and the same network and batch here. */
export interface ResNetGolden {
  readonly arch: string;
  readonly stem: 'imagenet' | 'small';
  readonly classes: number;
  /** [n, h, w, c] */
  readonly images: readonly [number, number, number, number];
  /** Which pictures; see `hashImages`. */
  readonly pictures: number;
  /** [n, classes], null = unknown */
  readonly targets: readonly (readonly (number | null)[])[];
  /** PyTorch's shape of every tensor of the state dict, by name. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly eval: ResNetResults;
  readonly train: ResNetResults & { readonly runningStatistics: Readonly<Record<string, Digest>> };
  /** Ten steps. */
  readonly adamw: {
    readonly losses: readonly number[];
    readonly gradientNorms: readonly number[];
    readonly parameters: Readonly<Record<string, Digest>>;
  };
  /** How far PyTorch in float32 is from PyTorch in float64. */
  readonly float32Error: Readonly<Record<string, { readonly worst: number }>>;
}

export interface ResNetResults {
  readonly logits: readonly (readonly number[])[];
  readonly loss: number;
  readonly gradients: Readonly<Record<string, Digest>>;
}

export const RESNET_GOLDENS: readonly ResNetGolden[] = [
  'resnet18-small.json.gz',
  'resnet18.json.gz',
  'resnet50.json.gz',
].map((name) => readGolden<ResNetGolden>(name));

/** The network, with the hashed weights as a checkpoint would hold them. */
export function goldenModel({ arch, stem, classes, images, shapes }: ResNetGolden): {
  definition: ModelDefinition;
  weights: ModelWeights;
} {
  const definition = defineModel({ arch, stem, classes, inChannels: images[3] });
  const tensors = Object.entries(shapes).map(
    ([name, shape]) => [name, { dtype: 'F32', shape, data: hashTensor(name, shape) }] as const,
  );
  return { definition, weights: importTimm(definition, new Map(tensors)) };
}

/** Feeds of the programs that are compared with PyTorch. */
export function goldenBatch({ images, pictures, targets }: ResNetGolden) {
  return {
    images: hashImages(images, pictures),
    targets: Float32Array.from(withNaN(targets.flat())),
  };
}
