import type { Roofline } from '../../engine/roofline.js';
import { formatMicroseconds } from '../../text/duration.js';
import { counted, decimals } from '../../text/numbers.js';

/** `117 GFLOP/s, 9.7 GB/s, 22 µs a dispatch, 46 µs a submit, 2 workgroups at once` */
export function describeRoofline({ gflops, gbps, dispatchMs, submitMs, residentGroups }: Roofline): string {
  return (
    `${decimals(gflops, 0)} GFLOP/s, ${decimals(gbps, 1)} GB/s, ` +
    `${formatMicroseconds(dispatchMs)} a dispatch, ${formatMicroseconds(submitMs)} a submit, ` +
    `${counted(residentGroups, 'workgroup')} at once`
  );
}
