import type { Reduction } from './loss-attributes.js';

/** The differences between losses that compare the images of a class in pairs. */
export interface PairLossAttributes {
  /** For messages. */
  readonly name: string;
  /**
   * WGSL over `struct Image { x: f32, p: f32, n: f32 }`: logit, weight as a positive, weight as a negative (hard labels have
   * one of them). It defines
   * - `compared(i: Image, j: Image) -> vec2f`: what image j adds to the two sums of image i;
   * - `own(i: Image) -> vec2f`: what image i adds to its own;
   * - `settled(i: Image, sums: vec2f) -> vec3f`: the cost of image i, and two numbers that its slopes need. Called for
   *   images with p > 0; all three are 0 for others;
   * - `slope(k: Image, keptK: vec2f, j: Image, keptJ: vec2f) -> f32`: of the cost of both by the logit of image k; asked
   *   where one of them has p > 0;
   * - `scaleOf(p: f32, n: f32) -> f32`: what the costs of a class are multiplied with; p and n are the sums over its images.
   */
  readonly code: string;
  /** Floating-point operations of one pair. */
  readonly flops: number;
  /** Whether samples have weights. */
  readonly weighted: boolean;
  /** Scores of each class that a memory holds (see score-memory.ts); 0: there is none. */
  readonly remembered: number;
  /** Label smoothing ε: y becomes y·(1−ε) + ε/2. */
  readonly smoothing: number;
  readonly reduction: Reduction;
}
