import type { Op, Tensor } from '../../engine/graph/tensor.js';
import {
  type FlatUpdateAttributes,
  type FlatUpdateRule,
  flatUpdateOp,
  requireVariable,
} from './flat-update.js';

/**
 * The optimizers: their update rules in WGSL and the host's share of the arithmetic, side by side. One step of all
 * parameters is one dispatch a shard, in place, with the moving average of the parameters folded in.
 *
 * What changes each step (learning rate, bias corrections) is worked out by the host in float64 and fed as `hyper`;
 * what differs between parameters lies in `table` (see parameter-groups.ts).
 */
export interface FlatUpdate {
  /** Variable: a whole shard of parameters, see `ArenaLayout.shardName`. Updated. */
  readonly params: Tensor;
  /** As many gradients. */
  readonly grads: Tensor;
  /** [blocks, 2]: learning-rate scale and weight decay of each block of `RANGE_ALIGNMENT` elements; see `buildDecayTable`. */
  readonly table: Tensor;
  /** The step's values, fed by the host: `[ADAMW_HYPER]` from `adamWHyper`, or `[SGD_HYPER]` from `sgdHyper`. */
  readonly hyper: Tensor;
  /** [1]: every gradient is multiplied by it; negative: the step leaves all untouched. See `clipFactor`. */
  readonly clip: Tensor;
  /** Variable: exponential moving average of the parameters (EMA), updated after them where given. */
  readonly average?: Tensor;
  /** Variable of f16: a copy of the updated parameters, for the kernels of a mixed-precision step. */
  readonly copy?: Tensor;
}

export interface AdamWUpdate extends FlatUpdate {
  /** Variables like `params`, zero at the start. */
  readonly firstMoment: Tensor;
  readonly secondMoment: Tensor;
}

export interface SgdUpdate extends FlatUpdate {
  /** Variable like `params`, zero at the start. */
  readonly momentum: Tensor;
}

/** Values of the `hyper` input of `adamW`. */
export const ADAMW_HYPER = 12;
/** Values of the `hyper` input of `sgd`. */
export const SGD_HYPER = 4;

const adamWRule: FlatUpdateRule = {
  name: 'adamW',
  state: ['firstMoment', 'secondMoment'],
  hyperValues: ADAMW_HYPER,
  flops: 15,
  // hyper: [lr, β₁, 1−β₁, β₂], [1−β₂, ε, 1/(1−β₁ᵗ), 1/√(1−β₂ᵗ)], [1−EMA decay, 0, 0, 0]
  update: `
    let m = hyper0.y * firstMoment[i] + hyper0.z * gradient;
    let v = hyper0.w * secondMoment[i] + hyper1.x * gradient * gradient;
    firstMoment[i] = m;
    secondMoment[i] = v;
    let step = hyper0.x * rate;
    let denominator = sqrt(v) * hyper1.w + hyper1.y;
    let updated = params[i] * (1.0 - step * decay) - (step * hyper1.z) * m / denominator;`,
};

const sgdRule = (nesterov: boolean): FlatUpdateRule => ({
  name: nesterov ? 'sgdNesterov' : 'sgd',
  state: ['momentum'],
  hyperValues: SGD_HYPER,
  flops: nesterov ? 8 : 6,
  // hyper: [lr, momentum, 1−EMA decay, 0]
  update: `
    let decayed = gradient + decay * params[i];
    let velocity = hyper0.y * momentum[i] + decayed;
    momentum[i] = velocity;
    let updated = params[i] - hyper0.x * rate * ${nesterov ? '(decayed + hyper0.y * velocity)' : 'velocity'};`,
});

const adamWOp = flatUpdateOp(adamWRule, 'hyper2.x');
const sgdOp = flatUpdateOp(sgdRule(false), 'hyper0.z');
const sgdNesterovOp = flatUpdateOp(sgdRule(true), 'hyper0.z');

/**
 * AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2), as `torch.optim.AdamW`:
 * p ← p·(1 − lr·λ); m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; p ← p − lr · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε),
 * with g the clipped gradient, and lr and λ those of the parameter's group.
 * Throws `ShapeError` where an operand does not fit the shard.
 */
export function adamW(update: AdamWUpdate): void {
  const { params, firstMoment, secondMoment, grads, table, hyper, clip, average, copy } = update;
  for (const [name, tensor] of Object.entries({ params, firstMoment, secondMoment, average, copy })) {
    if (tensor) requireVariable('adamW', name, tensor);
  }
  applyUpdate(adamWOp, [params, firstMoment, secondMoment, grads, table, hyper, clip], update);
}

/**
 * Stochastic gradient descent with momentum, as `torch.optim.SGD` without dampening: g ← g + λp; b ← μb + g (so b is
 * g at the first step, b being zero before); p ← p − lr·b, or with Nesterov's look-ahead p ← p − lr·(g + μb).
 * Throws `ShapeError` where an operand does not fit the shard.
 */
export function sgd(update: SgdUpdate, { nesterov = false }: { nesterov?: boolean } = {}): void {
  const { params, momentum, grads, table, hyper, clip, average, copy } = update;
  for (const [name, tensor] of Object.entries({ params, momentum, average, copy })) {
    if (tensor) requireVariable('sgd', name, tensor);
  }
  applyUpdate(nesterov ? sgdNesterovOp : sgdOp, [params, momentum, grads, table, hyper, clip], update);
}

function applyUpdate(
  op: Op<FlatUpdateAttributes>,
  operands: readonly Tensor[],
  { params, average, copy }: FlatUpdate,
): void {
  const kept = [average, copy].filter((tensor) => tensor !== undefined);
  params.graph.apply(op, [...operands, ...kept], {
    average: average !== undefined,
    copy: copy !== undefined,
  });
}

/**
 * The `hyper` values of AdamW's step number `step` (the first is 1). A step that was skipped (see `clipFactor`) counts.
 * @param averageDecay of the moving average; ignored where none is kept
 */
export function adamWHyper(values: {
  readonly learningRate: number;
  readonly step: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly averageDecay?: number;
}): Float32Array {
  const { learningRate, step, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, averageDecay = 0.9999 } = values;
  requireFraction('beta1', beta1);
  requireFraction('beta2', beta2);
  if (!(Number.isInteger(step) && step >= 1)) throw new RangeError(`adamW: the first step is 1, got ${step}`);
  const hyper = new Float32Array(ADAMW_HYPER);
  hyper.set([learningRate, beta1, 1 - beta1, beta2]);
  hyper.set([1 - beta2, epsilon, 1 / (1 - beta1 ** step), 1 / Math.sqrt(1 - beta2 ** step)], 4);
  hyper[8] = 1 - averageDecay;
  return hyper;
}

/** The `hyper` values of a step of SGD. @param averageDecay of the moving average; ignored where none is kept */
export function sgdHyper(values: {
  readonly learningRate: number;
  readonly momentum?: number;
  readonly averageDecay?: number;
}): Float32Array {
  const { learningRate, momentum = 0.9, averageDecay = 0.9999 } = values;
  requireFraction('momentum', momentum);
  return Float32Array.of(learningRate, momentum, 1 - averageDecay, 0);
}

function requireFraction(name: string, value: number): void {
  if (!(value >= 0 && value < 1)) throw new RangeError(`${name} must lie in [0, 1), got ${value}`);
}
