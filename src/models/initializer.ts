import type { Random } from '../engine/random.js';

/** Where the values of a parameter start. */
export type Initializer =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'normal'; readonly deviation: number }
  /** Normal with variance 2 / fan-out (He et al. 2015, "fan_out" as PyTorch's ResNets). */
  | { readonly kind: 'kaimingNormal'; readonly fanOut: number }
  /** In ±bound. PyTorch's default for linear layers has 1/√fan-in. */
  | { readonly kind: 'uniform'; readonly bound: number };

export const ZEROS: Initializer = { kind: 'constant', value: 0 };
export const ONES: Initializer = { kind: 'constant', value: 1 };

/** Uniform with variance 2 / (fan-in + fan-out) (Glorot & Bengio 2010). */
export function xavierUniform(fanIn: number, fanOut: number): Initializer {
  return { kind: 'uniform', bound: Math.sqrt(6 / (fanIn + fanOut)) };
}

/** The next value. */
export function draw(init: Initializer, random: Random): number {
  switch (init.kind) {
    case 'constant':
      return init.value;
    case 'normal':
      return random.normal(0, init.deviation);
    case 'kaimingNormal':
      return random.normal(0, Math.sqrt(2 / init.fanOut));
    case 'uniform':
      return random.uniform(-1, 1) * init.bound;
  }
}
