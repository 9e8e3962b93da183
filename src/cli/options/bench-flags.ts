import type { KernelFlags } from './kernel-options.js';

/** What `bench` is asked for; shared with the benchmark's own code, which lies beside src/ and is loaded when wanted. */
export interface BenchFlags extends Pick<KernelFlags, 'tune'> {
  /** Parts of names of workloads; all when empty. */
  readonly work: readonly string[];
  /** Libraries to compare with; all that are there when empty, none for `none`. */
  readonly against: readonly string[];
  readonly rounds: number;
  readonly adapter?: string;
  readonly json?: boolean;
  readonly list?: boolean;
  /** Seconds after which no further workload is begun. */
  readonly within?: number;
  /** Write the pages' tables from kept results, and do nothing else. */
  readonly table?: boolean;
  /** Time ResNet-18's step at growing batches and pictures, instead of everything. */
  readonly scaling?: boolean;
  /** Folder to keep the run in, see `saveRun`. */
  readonly out?: string;
}

/** The benchmark's entry, `bench/main.ts`. */
export interface BenchModule {
  runBench(flags: BenchFlags): Promise<void>;
}
