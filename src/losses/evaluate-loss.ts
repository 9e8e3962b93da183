import { compile } from '../engine/compile.js';
import type { Device } from '../engine/device.js';
import { Graph } from '../engine/graph/tensor.js';
import { grad } from '../kernels/common/grad.js';
import type { Loss } from './define/loss.js';
import { LossError } from './define/loss-error.js';
import { BEGINNING } from './define/reference-loss.js';
import { traceBoundLoss } from './define/trace-bound-loss.js';
import type { Reduction } from './define/trace-loss.js';
import { findLoss } from './registry.js';

/** A loss and its parameters, as a recipe has them; `name` is a registered one, or what `defineLoss` gave. */
export interface LossChoice {
  readonly name: string | Loss;
  readonly [parameter: string]: unknown;
}

export interface EvaluateLossOptions {
  /** Rows. */
  readonly n: number;
  readonly classes: number;
  /** Positives of each class in the training labels, for losses that ask for them. */
  readonly classCounts?: readonly number[];
  /** Training images, likewise. */
  readonly samples?: number;
  /** Labels of each class that are known among them; all where left out. */
  readonly known?: readonly number[];
  /** Epochs that are complete, for losses that change in the course of a training; 0 where left out. */
  readonly epoch?: number;
  /** Share of the training that is done, in [0, 1), likewise. */
  readonly progress?: number;
  /** `mean` over the known entries where left out; see `Reduction`. */
  readonly reduction?: Reduction;
  /** [n], not negative. */
  readonly sampleWeights?: ArrayLike<number>;
}

export interface LossResult {
  readonly value: number;
  /** d value / d logits, [n, classes]; exactly 0 where the target is unknown. */
  readonly grad: Float32Array;
}

/**
 * A loss and its gradient for given numbers, by the kernel that training runs.
 *
 * @param choice e.g. `{name: 'asl', gammaNeg: 4}`; parameters left out have their defaults
 * @param logits [n, classes] @param targets [n, classes] in [0, 1]; NaN is unknown
 * Throws `LossError` for an unknown loss or parameter, and for sizes or targets that do not fit (row and class named).
 */
export async function evaluateLoss(
  device: Device,
  choice: LossChoice,
  logits: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: EvaluateLossOptions,
): Promise<LossResult> {
  const { name, ...parameters } = choice;
  const { n, classes, sampleWeights, epoch, progress, ...rest } = options;
  const bound = (typeof name === 'string' ? findLoss(name) : name).bind(parameters);
  checkSizes(logits, targets, options);
  const graph = new Graph();
  const x = graph.input('logits', [n, classes]);
  const weights = sampleWeights && graph.input('sampleWeights', [n]);
  const moment = { epoch: epoch ?? BEGINNING.epoch, progress: progress ?? BEGINNING.progress };
  const numbers = bound.schedule(moment);
  const value = traceBoundLoss(bound, x, graph.input('targets', [n, classes]), {
    ...rest,
    sampleWeights: weights,
    scheduled: numbers.length > 0 ? graph.constant(Float32Array.from(numbers), [numbers.length]) : undefined,
  });
  const gradients = grad(value, [x]);
  const program = await compile(device, { graph, outputs: [value, ...gradients] });
  try {
    program.run({
      logits: Float32Array.from(logits),
      targets: Float32Array.from(targets),
      ...(sampleWeights ? { sampleWeights: Float32Array.from(sampleWeights) } : {}),
    });
    const [scalar = Number.NaN] = await program.read(value);
    const [gradient] = gradients;
    return { value: scalar, grad: gradient ? await program.read(gradient) : new Float32Array(0) };
  } finally {
    program.destroy();
  }
}

function checkSizes(
  logits: ArrayLike<number>,
  targets: ArrayLike<number>,
  { n, classes, sampleWeights }: EvaluateLossOptions,
): void {
  for (const [name, size] of Object.entries({ n, classes })) {
    if (!(Number.isInteger(size) && size >= 1))
      throw new LossError(`${name} must be a positive whole number, got ${size}`);
  }
  for (const [name, { length }] of Object.entries({ logits, targets })) {
    if (length !== n * classes) {
      throw new LossError(`${name}: ${length} values for ${n} rows of ${classes} classes`);
    }
  }
  for (let i = 0; i < targets.length; i++) {
    const target = targets[i] ?? Number.NaN;
    if (target < 0 || target > 1) {
      throw new LossError(
        `target of row ${Math.floor(i / classes)}, class ${i % classes} is ${target}: must lie in [0, 1], NaN for unknown`,
      );
    }
  }
  if (!sampleWeights) return;
  if (sampleWeights.length !== n) throw new LossError(`${sampleWeights.length} sample weights for ${n} rows`);
  for (let i = 0; i < n; i++) {
    const weight = sampleWeights[i] ?? Number.NaN;
    if (!(weight >= 0 && Number.isFinite(weight))) {
      throw new LossError(`the weight of row ${i} is ${weight}: must be finite and not negative`);
    }
  }
}
