import { COUNTER_HASH } from '../../engine/counter-hash.js';
import type { Tensor } from '../../engine/graph/tensor.js';
import type { ElementFunction } from './expression.js';
import { ADD, pointwise } from './pointwise.js';
import type { PointwiseFunction } from './pointwise-function.js';

/** Every pointwise function as one row: its WGSL and its gradient, so that both can be checked side by side. */

/** 1/√(2π) */
const INV_SQRT_2PI = 1 / Math.sqrt(2 * Math.PI);

/**
 * Φ(x), the normal distribution, from `e` = exp(−x²/2), which GELU's slope needs as well: ½ erfc(|x|/√2) by Abramowitz &
 * Stegun 7.1.26 (7.5e-8 absolute) for the tail, whichever side it is on.
 */
const CUMULATIVE = `fn cumulative(x: T, e: T) -> T {
  let t = T(1.0) / (T(1.0) + T(${0.3275911 * Math.SQRT1_2}) * abs(x));
  let p = ((((T(1.061405429) * t - T(1.453152027)) * t + T(1.421413741)) * t - T(0.284496736)) * t + T(0.254829592)) * t;
  let tail = T(0.5) * p * e;
  return select(T(1.0) - tail, tail, x < T(0.0));
}
fn gelu(x: T) -> T { return x * cumulative(x, exp(T(-0.5) * x * x)); }
fn geluSlope(x: T) -> T {
  let e = exp(T(-0.5) * x * x);
  return cumulative(x, e) + x * T(${INV_SQRT_2PI}) * e;
}`;

/**
 * log(1 + z) for z in [0, 1] to full relative precision, as 2·artanh(z / (2 + z)) by its series. Kahan's correction
 * would be shorter, but WGSL lets a compiler simplify (1 + z) − 1 to z, and Mesa does.
 */
export const LOG1P = `fn log1p(z: T) -> T {
  let s = z / (T(2.0) + z);
  let q = s * s;
  var p = T(${2 / 15});
  ${[13, 11, 9, 7, 5, 3, 1].map((n) => `p = p * q + T(${2 / n});`).join(' ')}
  return s * p;
}`;

/** Whether element `i` is kept, by a counter-based generator. */
const DROPOUT = (vector: boolean) => `${COUNTER_HASH}
fn dropoutMaskOne(i: u32, p: f32, a: u32, b: u32) -> f32 {
  return select(0.0, 1.0, f32(counterHash(i, a, b) >> 8u) * 5.9604644775390625e-8 >= p);
}
fn dropoutMask(i: u32, p: f32, a: u32, b: u32) -> T {
  return ${vector ? 'T(dropoutMaskOne(i, p, a, b), dropoutMaskOne(i + 1u, p, a, b), dropoutMaskOne(i + 2u, p, a, b), dropoutMaskOne(i + 3u, p, a, b))' : 'dropoutMaskOne(i, p, a, b)'};
}`;

const row = <const Name extends string>(
  name: Name,
  rest: Omit<PointwiseFunction, 'name'>,
): PointwiseFunction => ({ name, ...rest });

const unary = (x: readonly Tensor[]): Tensor => {
  const [operand] = x;
  if (!operand) throw new RangeError('a pointwise function without operand');
  return operand;
};

const table = {
  neg: row('neg', { wgsl: ([x]) => `-${x}`, gradient: ({ gradient }) => [neg(gradient)] }),
  relu: row('relu', {
    wgsl: ([x]) => `max(${x}, T(0.0))`,
    gradient: ({ gradient, output }) => [mul(gradient, greater(output, 0))],
  }),
  sigmoid: row('sigmoid', {
    // 1/(1+e⁻ˣ) overflows to 1/∞ = 0 for very negative x, which is the right limit.
    wgsl: ([x]) => `T(1.0) / (T(1.0) + exp(-clamp(${x}, T(-87.0), T(87.0))))`,
    flops: 4,
    gradient: ({ gradient, output: y }) => [mul(gradient, mul(y, sub(1, y)))],
  }),
  tanh: row('tanh', {
    // Some drivers compute tanh by e²ˣ and overflow: ±15 is ±1 in f32 already.
    wgsl: ([x]) => `tanh(clamp(${x}, T(-15.0), T(15.0)))`,
    flops: 4,
    gradient: ({ gradient, output: y }) => [mul(gradient, sub(1, mul(y, y)))],
  }),
  /** x·Φ(x), the exact form (Hendrycks & Gimpel 2016), as PyTorch's default. */
  gelu: row('gelu', {
    wgsl: ([x]) => `gelu(${x})`,
    library: () => CUMULATIVE,
    flops: 18,
    gradient: ({ gradient, args }) => [mul(gradient, geluSlope(unary(args)))],
  }),
  /** d/dx of x·Φ(x) = Φ(x) + x·φ(x). */
  geluSlope: row('geluSlope', {
    wgsl: ([x]) => `geluSlope(${x})`,
    library: () => CUMULATIVE,
    flops: 20,
    gradient: ({ gradient, args }) => {
      // 2φ(x) − x²φ(x)
      const x = unary(args);
      const density = mul(exp(mul(mul(x, x), -0.5)), INV_SQRT_2PI);
      return [mul(gradient, mul(density, sub(2, mul(x, x))))];
    },
  }),
  /** log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|): no overflow, no lost digits. */
  softplus: row('softplus', {
    wgsl: ([x]) => `max(${x}, T(0.0)) + log1p(exp(-abs(${x})))`,
    library: () => LOG1P,
    flops: 8,
    gradient: ({ gradient, args }) => [mul(gradient, sigmoid(unary(args)))],
  }),
  /** Not x·x, whose gradient would be added up from two equal parts. */
  square: row('square', {
    wgsl: ([x]) => `${x} * ${x}`,
    gradient: ({ gradient, args }) => [mul(gradient, mul(unary(args), 2))],
  }),
  exp: row('exp', {
    wgsl: ([x]) => `exp(${x})`,
    gradient: ({ gradient, output }) => [mul(gradient, output)],
  }),
  log: row('log', {
    wgsl: ([x]) => `log(${x})`,
    gradient: ({ gradient, args }) => [div(gradient, unary(args))],
  }),
  sqrt: row('sqrt', {
    wgsl: ([x]) => `sqrt(${x})`,
    gradient: ({ gradient, output }) => [div(mul(gradient, 0.5), output)],
  }),
  rsqrt: row('rsqrt', {
    wgsl: ([x]) => `inverseSqrt(${x})`,
    gradient: ({ gradient, output: y }) => [mul(mul(gradient, -0.5), mul(y, mul(y, y)))],
  }),
  abs: row('abs', {
    wgsl: ([x]) => `abs(${x})`,
    gradient: ({ gradient, args }) => [mul(gradient, sign(unary(args)))],
  }),
  sign: row('sign', { wgsl: ([x]) => `sign(${x})`, gradient: () => [] }),
  add: ADD,
  sub: row('sub', { wgsl: ([a, b]) => `${a} - ${b}`, gradient: ({ gradient }) => [gradient, neg(gradient)] }),
  mul: row('mul', {
    wgsl: ([a, b]) => `${a} * ${b}`,
    gradient: ({ gradient, args: [a, b] }) => [b && mul(gradient, b), a && mul(gradient, a)],
  }),
  div: row('div', {
    wgsl: ([a, b]) => `${a} / ${b}`,
    gradient: ({ gradient, args: [, b], output }) => [
      b && div(gradient, b),
      b && neg(div(mul(gradient, output), b)),
    ],
  }),
  /** Gradient goes to the larger operand, to the first on a tie. */
  maximum: row('maximum', {
    wgsl: ([a, b]) => `max(${a}, ${b})`,
    gradient: ({ gradient, args: [a, b] }) => [
      a && b && mul(gradient, sub(1, greater(b, a))),
      a && b && mul(gradient, greater(b, a)),
    ],
  }),
  minimum: row('minimum', {
    wgsl: ([a, b]) => `min(${a}, ${b})`,
    gradient: ({ gradient, args: [a, b] }) => [
      a && b && mul(gradient, sub(1, greater(a, b))),
      a && b && mul(gradient, greater(a, b)),
    ],
  }),
  /** 1 where a > b, else 0. */
  greater: row('greater', { wgsl: ([a, b]) => `select(T(0.0), T(1.0), ${a} > ${b})`, gradient: () => [] }),
  /** The operand itself, at a larger shape. */
  broadcast: row('broadcast', { wgsl: ([x]) => `${x}`, flops: 0, gradient: ({ gradient }) => [gradient] }),
  addScalar: row('addScalar', {
    wgsl: ([x], [c]) => `${x} + T(${c})`,
    gradient: ({ gradient }) => [gradient],
  }),
  mulScalar: row('mulScalar', {
    wgsl: ([x], [c]) => `${x} * T(${c})`,
    gradient: ({ gradient, params: [c = 0] }) => [mul(gradient, c)],
  }),
  /** c − x */
  rsubScalar: row('rsubScalar', {
    wgsl: ([x], [c]) => `T(${c}) - ${x}`,
    gradient: ({ gradient }) => [neg(gradient)],
  }),
  greaterScalar: row('greaterScalar', {
    wgsl: ([x], [c]) => `select(T(0.0), T(1.0), ${x} > T(${c}))`,
    gradient: () => [],
  }),
  /**
   * Inverted dropout (Srivastava et al. 2014): an element is kept with probability 1 − p and scaled by 1/(1 − p).
   * The mask is a hash of (element index, stream, the two words of the seed operand), so that the backward pass draws
   * the same one without storing it.
   */
  dropout: row('dropout', {
    wgsl: ([x, seed], [p, stream], index) =>
      `${x} * T(1.0 / (1.0 - ${p})) * dropoutMask(${index}, ${p}, u32(${stream}) ^ ${seed}[0], ${seed}[1])`,
    indexed: true,
    library: DROPOUT,
    flops: 12,
    gradient: ({ gradient, args: [, seed], params: [p = 0, stream = 0] }) => [
      seed && dropout(gradient, seed, { p, stream }),
      undefined,
    ],
  }),
} as const;

/** Names of the table, for tests. */
export const pointwiseFunctions: Readonly<Record<string, ElementFunction>> = table;

type Operand = Tensor | number;

export const neg = (x: Tensor): Tensor => pointwise(table.neg, [x]);
export const relu = (x: Tensor): Tensor => pointwise(table.relu, [x]);
export const sigmoid = (x: Tensor): Tensor => pointwise(table.sigmoid, [x]);
export const tanh = (x: Tensor): Tensor => pointwise(table.tanh, [x]);
export const gelu = (x: Tensor): Tensor => pointwise(table.gelu, [x]);
const geluSlope = (x: Tensor): Tensor => pointwise(table.geluSlope, [x]);
export const softplus = (x: Tensor): Tensor => pointwise(table.softplus, [x]);
export const square = (x: Tensor): Tensor => pointwise(table.square, [x]);
export const exp = (x: Tensor): Tensor => pointwise(table.exp, [x]);
export const log = (x: Tensor): Tensor => pointwise(table.log, [x]);
export const sqrt = (x: Tensor): Tensor => pointwise(table.sqrt, [x]);
export const rsqrt = (x: Tensor): Tensor => pointwise(table.rsqrt, [x]);
export const abs = (x: Tensor): Tensor => pointwise(table.abs, [x]);
export const sign = (x: Tensor): Tensor => pointwise(table.sign, [x]);

/** a + b; either a broadcastable tensor or a number. */
export function add(a: Tensor, b: Operand): Tensor {
  return typeof b === 'number' ? pointwise(table.addScalar, [a], [b]) : pointwise(table.add, [a, b]);
}

/** a − b */
export function sub(a: Operand, b: Operand): Tensor {
  if (typeof a === 'number') {
    if (typeof b === 'number') throw new TypeError('sub: one operand must be a tensor');
    return pointwise(table.rsubScalar, [b], [a]);
  }
  return typeof b === 'number' ? pointwise(table.addScalar, [a], [-b]) : pointwise(table.sub, [a, b]);
}

/** a · b */
export function mul(a: Tensor, b: Operand): Tensor {
  return typeof b === 'number' ? pointwise(table.mulScalar, [a], [b]) : pointwise(table.mul, [a, b]);
}

/** a / b */
export function div(a: Tensor, b: Operand): Tensor {
  return typeof b === 'number' ? pointwise(table.mulScalar, [a], [1 / b]) : pointwise(table.div, [a, b]);
}

/** 1 where a > b, else 0; not differentiable. */
export function greater(a: Tensor, b: Operand): Tensor {
  return typeof b === 'number' ? pointwise(table.greaterScalar, [a], [b]) : pointwise(table.greater, [a, b]);
}

export const maximum = (a: Tensor, b: Tensor): Tensor => pointwise(table.maximum, [a, b]);
export const minimum = (a: Tensor, b: Tensor): Tensor => pointwise(table.minimum, [a, b]);

/** x repeated to a larger shape, by NumPy's rules. */
export function broadcastTo(x: Tensor, shape: readonly number[]): Tensor {
  if (x.shape.join() === shape.join()) return x;
  return pointwise(table.broadcast, [x], [], shape);
}

/** A tensor of `value`, of the shape of `like`. */
export function fullLike(like: Tensor, value: number): Tensor {
  return broadcastTo(like.graph.constant(new Float32Array([value]), [1]), like.shape);
}

/**
 * Inverted dropout.
 * @param seed two u32 words that the host feeds anew each step @param stream tells the dropouts of a model apart
 */
export function dropout(x: Tensor, seed: Tensor, { p, stream }: { p: number; stream: number }): Tensor {
  if (!(p >= 0 && p < 1)) throw new RangeError(`dropout: p must be in [0, 1), got ${p}`);
  return p === 0 ? x : pointwise(table.dropout, [x, seed], [p, stream]);
}
