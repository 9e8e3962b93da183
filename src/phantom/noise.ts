/** Smooth random texture over the plane, for opacities whose density is uneven: value noise on a square lattice. */
import type { Random } from '../engine/random.js';
import { mix } from './geometry.js';

const LATTICE = 32;

export class Texture {
  readonly #values: Float32Array;
  readonly #cellsPerCm: number;

  /** @param cellCm distance of neighbouring extremes, cm */
  constructor(random: Random, cellCm: number) {
    this.#cellsPerCm = 1 / cellCm;
    this.#values = new Float32Array(LATTICE * LATTICE);
    for (let i = 0; i < this.#values.length; i++) this.#values[i] = random.uniform();
  }

  /** A value in [0, 1], about uniform, continuous in u and v. */
  at(u: number, v: number): number {
    const x = u * this.#cellsPerCm;
    const y = v * this.#cellsPerCm;
    const x0 = Math.floor(x);
    const y0 = Math.floor(y);
    const tx = ease(x - x0);
    const ty = ease(y - y0);
    const above = mix(this.#value(x0, y0), this.#value(x0 + 1, y0), tx);
    const below = mix(this.#value(x0, y0 + 1), this.#value(x0 + 1, y0 + 1), tx);
    return mix(above, below, ty);
  }

  #value(x: number, y: number): number {
    return this.#values[(y & (LATTICE - 1)) * LATTICE + (x & (LATTICE - 1))] as number;
  }
}

function ease(t: number): number {
  return t * t * (3 - 2 * t);
}
