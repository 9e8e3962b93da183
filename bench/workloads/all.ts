import type { Workload } from '../workload.js';
import { convolutions } from './convolution.js';
import { matmuls } from './matmul.js';

/** Everything that is measured, in the order of the table. */
export const WORKLOADS: readonly Workload[] = [...matmuls, ...convolutions];
