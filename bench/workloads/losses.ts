import { at, elementCount } from '#src/engine/graph/tensor.js';
import { grad } from '#src/kernels/common/grad.js';
import { traceLoss } from '#src/losses/define/trace-loss.js';
import { findLoss } from '#src/losses/registry.js';
import type { Tf, TfTensor } from '../contenders/tfjs.js';
import { tensorOperation } from '../tensor-operation.js';
import type { Workload } from '../workload.js';

/**
 * The long-tailed losses, value and gradient: tailray's fused kernels beside the formulas composed of tfjs's ops, as its
 * users write them. ASL has a file of its own. Sums over all entries of labels with a long tail.
 */
interface LossWorkload {
  readonly loss: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** @param k the loss's class constants, [C] each */
  tfjs(tf: Tf, x: TfTensor, y: TfTensor, k: readonly TfTensor[]): TfTensor;
}

const LOSSES: readonly LossWorkload[] = [
  { loss: 'bce', tfjs: (tf, x, y) => crossEntropy(tf, x, y) },
  {
    loss: 'weighted-bce',
    tfjs: (tf, x, y, [w]) => tf.mul(crossEntropy(tf, x, y), mixed(tf, y, w ?? 1, 1)),
  },
  {
    loss: 'focal',
    tfjs: (tf, x, y) => tf.mul(mixed(tf, y, 0.25, 0.75), focal(tf, x, y)),
  },
  { loss: 'cb-focal', tfjs: (tf, x, y, [w]) => tf.mul(w ?? 1, focal(tf, x, y)) },
  {
    loss: 'db',
    tfjs(tf, x, y, [rate, shift]) {
      const image = tf.maximum(tf.sum(tf.mul(y, rate ?? 1), [1], true), 1e-30);
      const r = tf.div(rate ?? 1, image);
      const weight = tf.add(0.1, tf.sigmoid(tf.mul(10, tf.sub(r, 0.2))));
      const z = tf.mul(tf.add(x, shift ?? 0), mixed(tf, y, 1, 2));
      return tf.mul(tf.mul(tf.mul(2, weight), mixed(tf, y, 1, 0.5)), focal(tf, z, y));
    },
  },
  {
    loss: 'db-margin',
    tfjs: (tf, x, y, [margin, weight]) =>
      tf.mul(weight ?? 1, crossEntropy(tf, tf.sub(x, tf.mul(y, margin ?? 0)), y)),
  },
  {
    loss: 'ldam',
    tfjs: (tf, x, y, [margin]) => crossEntropy(tf, tf.mul(30, tf.sub(x, tf.mul(y, margin ?? 0))), y),
  },
  {
    loss: 'ldam-drw',
    parameters: { reweightFrom: 0 },
    tfjs: (tf, x, y, [margin, weight]) =>
      tf.mul(weight ?? 1, crossEntropy(tf, tf.mul(30, tf.sub(x, tf.mul(y, margin ?? 0))), y)),
  },
  { loss: 'logit-adjusted', tfjs: (tf, x, y, [odds]) => crossEntropy(tf, tf.add(x, odds ?? 0), y) },
  {
    loss: 'hill',
    tfjs(tf, x, y) {
      const p = tf.sigmoid(x);
      const lower = tf.sub(x, 1);
      const positive = tf.mul(tf.square(tf.sigmoid(tf.neg(lower))), tf.softplus(tf.neg(lower)));
      return mixed(tf, y, positive, tf.mul(tf.sub(1.5, p), tf.square(p)));
    },
  },
  {
    loss: 'splc',
    parameters: { changeEpoch: 0 },
    tfjs(tf, x, y) {
      const z = tf.sub(x, y);
      return focal(tf, z, tf.maximum(y, tf.step(tf.sub(tf.sigmoid(z), 0.6))));
    },
  },
  {
    loss: 'ral',
    tfjs(tf, x, y) {
      const p = tf.sigmoid(x);
      const rest = tf.sub(1, p);
      const positive = tf.add(tf.sub(tf.softplus(tf.neg(x)), rest), tf.mul(1.25, tf.square(rest)));
      const shifted = tf.relu(tf.sub(p, 0.05));
      const q = tf.sub(1, shifted);
      const hill = tf.mul(tf.mul(tf.sub(1.5, p), tf.square(p)), tf.sub(1.5, q));
      const negative = tf.mul(tf.mul(tf.square(tf.square(shifted)), tf.neg(tf.log(q))), hill);
      return mixed(tf, y, positive, negative);
    },
  },
  {
    loss: 'two-way',
    tfjs(tf, x, y) {
      // as the authors do it: what is not meant is far below
      const positives = tf.add(tf.div(tf.neg(x), 4), tf.mul(-100, tf.sub(1, y)));
      const negatives = tf.add(x, tf.mul(-100, y));
      const along = (axis: number) => {
        const z = tf.add(tf.logSumExp(negatives, axis), tf.mul(4, tf.logSumExp(positives, axis)));
        return tf.sum(tf.mul(tf.softplus(z), tf.max(y, axis)));
      };
      return tf.add(along(0), along(1));
    },
  },
];

/** Positives of each class among so many images. */
const SAMPLES = 100_000;
const countsOf = (classes: number) =>
  Array.from({ length: classes }, (_, c) => Math.round(SAMPLES / (c + 3) ** 1.5));

export const losses: readonly Workload[] = LOSSES.flatMap(({ loss, parameters = {}, tfjs }) =>
  [
    [4096, 36],
    [256, 30],
  ].map((shape) => {
    const bound = findLoss(loss).bind(parameters);
    const classes = at(shape, 1);
    const statistics = { classCounts: countsOf(classes), samples: SAMPLES };
    const constants = bound.kind === 'entries' ? bound.classConstants({ classes, ...statistics }) : [];
    let kept: readonly TfTensor[] | undefined;
    return tensorOperation({
      name: `${loss}-${shape.join('x')}`,
      direction: 'step',
      shape: shape.join('×'),
      flops: (bound.kind === 'entries' ? bound.flops : 120) * elementCount(shape),
      operands: [{ shape }, { shape, fill: 'labels' }],
      results: [{ shape: [1] }, { shape }],
      tailray: (x) => {
        const logits = at(x, 0);
        const total = traceLoss(loss, parameters, logits, at(x, 1), { ...statistics, reduction: 'sum' });
        return [total, ...grad(total, [logits])];
      },
      tfjs: (tf, x) => {
        // made once, like the operands
        kept ??= constants.map((row) => tf.keep(tf.tensor(Float32Array.from(row), [classes])));
        const logits = at(x, 0);
        const sum = () => tf.sum(tfjs(tf, logits, at(x, 1), kept ?? []));
        const { value, grads } = tf.engine().gradients(sum, [logits]);
        return [value, ...grads];
      },
    });
  }),
);

/** −y·log σ(x) − (1 − y)·log(1 − σ(x)) */
function crossEntropy(tf: Tf, x: TfTensor, y: TfTensor): TfTensor {
  return tf.sub(tf.softplus(x), tf.mul(x, y));
}

/** Focused with γ = 2; 1 − p_t = |y − σ(x)|. */
function focal(tf: Tf, x: TfTensor, y: TfTensor): TfTensor {
  return tf.mul(tf.square(tf.sub(y, tf.sigmoid(x))), crossEntropy(tf, x, y));
}

/** y·positive + (1 − y)·negative */
function mixed(tf: Tf, y: TfTensor, positive: TfTensor | number, negative: TfTensor | number): TfTensor {
  return tf.add(tf.mul(y, positive), tf.mul(tf.sub(1, y), negative));
}
