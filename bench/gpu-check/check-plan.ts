/** What a check of a machine does, and how long each part may take. */

export type PartName = 'adapter' | PlannedPart;
export type PlannedPart = 'parity' | 'benchmark' | 'tuner';

export interface CheckPlan {
  /** Seconds of each part. */
  readonly seconds: Readonly<Record<PlannedPart, number>>;
  /** Files of tests at a time. */
  readonly side: number;
  /** Parts of paths of files of tests; all when empty. */
  readonly tests: readonly string[];
  /** Parts of names of the workloads, in the order in which they are measured. */
  readonly works: readonly string[];
  /** Parts of names of libraries. */
  readonly against: readonly string[];
  readonly rounds: number;
  /** Workloads that the tuner chooses kernels for. */
  readonly tuned: readonly string[];
}

/** Shares of the whole time. The rest is for starting, ending and packing. */
const SHARES = { parity: 0.28, benchmark: 0.4, tuner: 0.2 } as const;

const MAIN = ['resnet50-224px-batch4', 'resnet18-64px-batch8/step', 'vit_base'];
const LARGE = ['resnet50-224px-batch32', 'convnext_tiny'];

export function planCheck(given: {
  /** Whether the adapter computes on the processor, where all of this would take hours. */
  readonly software: boolean;
  readonly cores: number;
  /** Of the whole check. */
  readonly seconds: number;
}): CheckPlan {
  const seconds = {
    parity: SHARES.parity * given.seconds,
    benchmark: SHARES.benchmark * given.seconds,
    tuner: SHARES.tuner * given.seconds,
  };
  if (given.software) {
    return {
      seconds,
      side: 1,
      tests: ['reduce/softmax', 'optimizer/add-into'],
      works: ['matmul-512', 'asl-256x30'],
      against: ['tfjs', 'pytorch', 'f16'],
      rounds: 2,
      tuned: ['matmul-512'],
    };
  }
  return {
    seconds,
    side: Math.max(1, Math.min(6, Math.floor(given.cores / 2))),
    tests: [],
    works: [
      ...MAIN,
      ...LARGE,
      'matmul-1024',
      'matmul-4096',
      'conv3x3-8x32x32x64',
      'conv3x3-1x256',
      'depthwise7x7-8x32x32x64',
      'attention-4x16x257x64',
      'perceptron',
      'adamw',
      'asl-4096x36',
      'batchnorm-8',
      'convnext_atto',
      'matvec',
    ],
    against: ['tfjs', 'jax', 'pytorch', 'f16'],
    rounds: 5,
    tuned: [...MAIN, ...LARGE, 'matmul-1024'],
  };
}
