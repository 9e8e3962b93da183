/**
 * Which kept runs the pages show: for each place, folders of bench/results, the first that has a row being the one that the row
 * is taken from. A run that other work on the machine disturbed may be good for some of its rows only.
 */
export interface ShownRun {
  readonly folder: string;
  /** Beginnings of the names of those workloads that are taken from it; all when absent. */
  readonly works?: readonly string[];
}

const LAVAPIPE = '2026-11-29-llvmpipe-mesa-25.0.7-2';

export const SHOWN_RUNS = {
  lavapipe: [
    { folder: `${LAVAPIPE}-networks` },
    { folder: `${LAVAPIPE}-resnet50-step` },
    { folder: `${LAVAPIPE}-inference` },
    { folder: LAVAPIPE },
  ],
  attention: [{ folder: `${LAVAPIPE}-attention` }],
  swiftshader: [{ folder: '2026-11-29-swiftshader-driver-5.0.0' }],
  /** None was at hand. */
  gpu: [],
} as const satisfies Readonly<Record<string, readonly ShownRun[]>>;
