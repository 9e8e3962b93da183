/**
 * A number from the standard normal distribution from 32 random bits: the quantile function by Wichura's PPND7
 * (algorithm AS 241, 1988), 1e-7 relative. Box and Muller's method would be shorter, but it takes the logarithm of numbers
 * next to 1, of which WGSL promises no relative precision, and a cosine, of which WGSL promises 2⁻¹¹. Here the logarithm
 * is taken of at most 0.075.
 *
 * One bit is the sign and 23 are the tail's probability (k + ½)·2⁻²⁴, which f32 holds exactly. No number lies beyond 5.5.
 */
export const NORMAL = `fn normal(bits: u32) -> f32 {
  let tail = (f32(bits >> 9u) + 0.5) * ${2 ** -24};
  let q = 0.5 - tail;
  let r = 0.180625 - q * q;
  let s = sqrt(-log(min(tail, 0.075))) - 1.6;
  let near = q * (((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179) /
    (((67.18756362 * r + 78.757757664) * r + 17.895169469) * r + 1.0);
  let far = (((0.17023821103 * s + 1.3067284816) * s + 2.75681539) * s + 1.4234372777) /
    ((0.12021132975 * s + 0.7370016425) * s + 1.0);
  let size = select(far, near, tail > 0.075);
  return select(size, -size, (bits & 1u) != 0u);
}`;
