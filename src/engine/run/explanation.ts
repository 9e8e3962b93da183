import type { Device } from '../device.js';
import type { PlannedBytes } from '../plan/plan.js';
import { measureRoofline, type Roofline } from '../roofline.js';
import type { PlanRow } from './build.js';
import { medianTimes, type OpTime, Profiler } from './profile.js';

/** Where the time of a compiled program goes, op by op on the device: what `--explain` shows. */
export interface Explanation {
  /** In the order in which they run; without times where the adapter has no timestamps or nothing was profiled. */
  readonly ops: readonly PlanRow[] | readonly OpTime[];
  /** Runs that the ops' times are the medians of. */
  readonly profiledRuns: number;
  readonly bytes: PlannedBytes;
  /** The adapter's own limits, measured right after the profiled runs. */
  readonly roofline: Roofline;
}

/** A compiled program, as far as it can be explained. */
export interface Explainable {
  /** The plan, an op a row. */
  readonly rows: readonly PlanRow[];
  readonly planned: PlannedBytes;
}

/** Runs to profile, after a first one that is not. */
export const PROFILED_RUNS = 5;

/** Explains a program by runs that were profiled, or by its plan alone where there are none. */
export async function explain(
  device: Device,
  { rows, planned }: Explainable,
  profiles: readonly OpTime[][],
): Promise<Explanation> {
  await device.idle();
  return {
    ops: profiles.length > 0 ? medianTimes(profiles) : rows,
    profiledRuns: profiles.length,
    bytes: planned,
    roofline: await measureRoofline(device),
  };
}

/** Explains a program whose runs may be repeated at will, by the times that `profile` measures in one run. */
export async function explainByRuns(
  device: Device,
  program: Explainable & { profile(): Promise<OpTime[]> },
): Promise<Explanation> {
  const profiles: OpTime[][] = [];
  if (Profiler.supported(device)) {
    await program.profile();
    while (profiles.length < PROFILED_RUNS) profiles.push(await program.profile());
  }
  return explain(device, program, profiles);
}
