import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BenchError } from '../bench-error.js';
import type { Measurement } from '../measurement.js';
import type { RunHeader } from '../saved-run.js';
import type { Direction, Who } from '../workload.js';
import type { ShownRun } from './shown-runs.js';

/** Runs of the benchmark as `saveRun` kept them. Old ones lack the milliseconds of each round. */
export type KeptMeasurement = Omit<Measurement, 'rounds'> & Partial<Pick<Measurement, 'rounds'>>;

export interface KeptRun {
  readonly folder: string;
  readonly header: RunHeader;
  readonly rows: readonly KeptRow[];
}

/** A workload with what was measured of each library. */
export interface KeptRow {
  readonly name: string;
  readonly direction: Direction;
  readonly measured: ReadonlyMap<Who, KeptMeasurement>;
}

/** @param results the folder bench/results */
export function readRun(results: string, { folder, works = [''] }: ShownRun): KeptRun {
  const path = join(results, folder, 'results.jsonl');
  const [first, ...lines] = readFileSync(path, 'utf8').trim().split('\n').map(parsed(path));
  if (!isHeader(first)) throw new BenchError(`${path}, line 1: {"run": …} is missing`);
  const rows = new Map<string, KeptRow & { measured: Map<Who, KeptMeasurement> }>();
  for (const line of lines as KeptMeasurement[]) {
    const { work, direction, who } = line;
    if (!works.some((beginning) => work.startsWith(beginning))) continue;
    const key = `${work}/${direction}`;
    const row = rows.get(key) ?? { name: work, direction, measured: new Map() };
    rows.set(key, row);
    row.measured.set(who, line);
  }
  return { folder, header: first.run, rows: [...rows.values()] };
}

function parsed(path: string): (line: string, index: number) => unknown {
  return (line, index) => {
    try {
      return JSON.parse(line);
    } catch (cause) {
      throw new BenchError(`${path}, line ${index + 1}: this is no JSON`, { cause });
    }
  };
}

function isHeader(line: unknown): line is { run: RunHeader } {
  return typeof line === 'object' && line !== null && 'run' in line;
}
