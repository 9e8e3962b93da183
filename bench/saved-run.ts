import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Roofline } from '#src/engine/roofline.js';
import type { Comparison } from './compare.js';
import type { Measurement } from './measurement.js';
import { scalingPlot } from './scaling-plot.js';
import { speedupPlot } from './speedup-plot.js';
import type { Who } from './workload.js';

/** A run of the benchmark, kept: one folder with the measurements as JSON lines and a picture. */

/** The first line of results.jsonl. */
export interface RunHeader {
  /** ISO 8601, in UTC. */
  readonly date: string;
  readonly adapter: string;
  /** What was typed after `bench`. */
  readonly arguments: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
  readonly roofline: Pick<Roofline, 'gflops' | 'gflopsF16' | 'gbps' | 'dispatchMs' | 'submitMs'>;
}

/**
 * Writes `results.jsonl` and `speedup.svg`, or `scaling.svg`, into a folder named after day and adapter.
 * @param parent e.g. bench/results
 * @param what the speed beside other libraries, or how it grows with the work
 * @returns the folder
 */
export function saveRun(
  parent: string,
  what: 'speed' | 'scaling',
  header: RunHeader,
  measurements: readonly Measurement[],
  comparisons: readonly Comparison[],
): string {
  const folder = join(parent, `${runFolderName(header)}${what === 'scaling' ? '-scaling' : ''}`);
  mkdirSync(folder, { recursive: true });
  const lines = [{ run: header }, ...measurements].map((line) => `${JSON.stringify(line)}\n`);
  writeFileSync(join(folder, 'results.jsonl'), lines.join(''));
  const plot = what === 'scaling' ? scalingPlot(measurements, header) : speedupPlot(comparisons, header);
  writeFileSync(join(folder, `${what === 'scaling' ? 'scaling' : 'speedup'}.svg`), plot);
  return folder;
}

/** Day and adapter, e.g. `2026-11-24-llvmpipe-mesa-25.0.7`. */
export function runFolderName({ date, adapter }: Pick<RunHeader, 'date' | 'adapter'>): string {
  return `${date.slice(0, 10)}-${slug(adapter)}`;
}

/** The versions of everything that took part. */
export function versionsOf(
  hosts: Readonly<Partial<Record<Who, { readonly version: string }>>>,
): Record<string, string> {
  const libraries = Object.entries(hosts).map(([who, host]) => [who, host.version] as const);
  return { node: process.versions.node, ...Object.fromEntries(libraries) };
}

/** `llvmpipe: Mesa 25.0.7 (LLVM 15)` → `llvmpipe-mesa-25.0.7`. */
function slug(adapter: string): string {
  return adapter
    .toLowerCase()
    .replace(/\(.*/, '')
    .split(/[^a-z0-9.]+/)
    .filter((word) => word !== '')
    .slice(0, 4)
    .join('-');
}
