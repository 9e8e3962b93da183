import type { Roofline } from '../../engine/roofline.js';

/** `117 GFLOP/s, 9.7 GB/s, 22 µs a dispatch, 46 µs a submit` */
export function describeRoofline({ gflops, gbps, dispatchMs, submitMs }: Roofline): string {
  const micro = (ms: number) => `${(1000 * ms).toFixed(0)} µs`;
  return `${gflops.toFixed(0)} GFLOP/s, ${gbps.toFixed(1)} GB/s, ${micro(dispatchMs)} a dispatch, ${micro(submitMs)} a submit`;
}
