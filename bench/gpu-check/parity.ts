import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Ending, runNode } from './timed-process.js';

/**
 * Whether this adapter computes what a float64 reference and PyTorch compute: tailray's own tests of kernels, losses, models
 * and engine, each file in a process of its own, so that a driver that crashes takes one file along.
 */
export interface ParityReport {
  readonly passed: number;
  readonly skipped: number;
  readonly files: readonly FileReport[];
  /** Files that no time was left for. */
  readonly notRun: readonly string[];
}

export interface FileReport {
  readonly file: string;
  readonly status: Ending['status'];
  readonly seconds: number;
  readonly passed: number;
  readonly skipped: number;
  /** Names of failed tests, with their messages. */
  readonly failed: readonly string[];
  readonly reason?: string;
}

export interface ParityOptions {
  /** Where tailray lies, with `test/` inside. */
  readonly root: string;
  /** Words for node that run a file of tests, its path following. */
  readonly runner: readonly string[];
  readonly files: readonly string[];
  readonly seconds: number;
  /** Files at a time. */
  readonly side: number;
  readonly log: string;
}

/** The most telling first: a check may run out of time. */
const FOLDERS = [
  'kernels/pytorch-ops.test.ts',
  'models',
  'kernels/product',
  'kernels/conv',
  'kernels/attention',
  'kernels/norm',
  'kernels/reduce',
  'kernels/pointwise',
  'kernels/loss',
  'kernels/optimizer',
  'losses',
  'kernels',
  'engine',
];

/** @returns the files of tests below `root`, in the order in which they tell most */
export function parityFiles(root: string): string[] {
  const files = FOLDERS.flatMap((name) => testsAt(root, `test/${name}`));
  return [...new Set(files)];
}

function testsAt(root: string, path: string): string[] {
  if (path.endsWith('.test.ts')) return existsSync(join(root, path)) ? [path] : [];
  if (!existsSync(join(root, path))) return [];
  return readdirSync(join(root, path), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !name.includes('node_modules'))
    .sort()
    .map((name) => `${path}/${name}`);
}

export async function runParity(options: ParityOptions): Promise<ParityReport> {
  const { root, runner, seconds, side, log } = options;
  const end = performance.now() + 1000 * seconds;
  const waiting = [...options.files];
  const files: FileReport[] = [];
  const one = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const left = (end - performance.now()) / 1000;
      if (left < 1) {
        waiting.unshift(file);
        return;
      }
      const ending = await runNode([...runner, file], { seconds: left, log, cwd: root });
      files.push(reportOf(file, ending));
    }
  };
  await Promise.all(Array.from({ length: side }, one));
  const sum = (of: 'passed' | 'skipped') => files.reduce((total, file) => total + file[of], 0);
  return { passed: sum('passed'), skipped: sum('skipped'), files, notRun: waiting };
}

/** From the last line of run-test-file.mjs. */
export function reportOf(file: string, ending: Ending): FileReport {
  const { status, seconds, reason, stdout } = ending;
  const tally = tallyIn(stdout);
  return {
    file,
    // failed tests are a result, and named as such
    status: tally && status === 'failed' && tally.failed.length > 0 ? 'done' : status,
    seconds,
    passed: tally?.passed ?? 0,
    skipped: tally?.skipped ?? 0,
    failed: tally?.failed ?? [],
    ...(reason !== undefined && !tally && { reason }),
  };
}

function tallyIn(stdout: string): Pick<FileReport, 'passed' | 'skipped' | 'failed'> | undefined {
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as FileReport;
  } catch {
    return undefined;
  }
}
