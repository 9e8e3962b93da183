import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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
  const folder = folderOf(
    join(parent, `${runFolderName(header)}${what === 'scaling' ? '-scaling' : ''}`),
    header,
  );
  const lines = [{ run: header }, ...measurements].map((line) => `${JSON.stringify(line)}\n`);
  writeFileSync(join(folder, 'results.jsonl'), lines.join(''));
  const plot = what === 'scaling' ? scalingPlot(measurements, header) : speedupPlot(comparisons, header);
  writeFileSync(join(folder, `${what === 'scaling' ? 'scaling' : 'speedup'}.svg`), plot);
  return folder;
}

/** Makes the folder, with a number behind its name where the results of another run have that name already. */
function folderOf(name: string, { date }: RunHeader): string {
  for (let i = 1; ; i++) {
    const folder = i === 1 ? name : `${name}-run${i}`;
    mkdirSync(folder, { recursive: true });
    const results = join(folder, 'results.jsonl');
    if (!existsSync(results)) return folder;
    const [first = ''] = readFileSync(results, 'utf8').split('\n', 1);
    // each workload writes again what came before it
    if (first.includes(JSON.stringify(date))) return folder;
  }
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
